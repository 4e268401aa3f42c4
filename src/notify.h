/* notify.h -- tells a service manager how far we are, when one asked for it (systemd's Type=notify).
 *
 * The protocol is that of sd_notify(3): one datagram to the socket named in NOTIFY_SOCKET. Whether it arrives is the
 * manager's business; without that variable nothing happens. */
#ifndef NOTIFY_H
#define NOTIFY_H

void notify_ready(void);    /* the node listens, its scripts are loaded */
void notify_stopping(void); /* it says goodbye */

#endif
