/* loopback.h -- a port of this machine as sockets want it. */
#ifndef SCENARIO_LOOPBACK_H
#define SCENARIO_LOOPBACK_H

#include <netinet/in.h>
#include <stdint.h>

static inline struct sockaddr_in loopback(unsigned port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

#endif
