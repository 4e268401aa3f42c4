/* transport.c -- what every transport needs to read of an address, see transport.h. */
#include "net/transport.h"

static int port_parse(const char *text, uint16_t *port)
{
    unsigned value = 0;
    size_t n = strlen(text);
    if (n == 0 || n > 5) return MOTH_EBAD_ADDRESS;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') return MOTH_EBAD_ADDRESS;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    if (value > 65535) return MOTH_EBAD_ADDRESS;
    *port = (uint16_t)value;
    return 0;
}

static bool host_is_plain(const char *host, size_t bytes, bool bracketed)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    if (bytes == 0 || bytes >= HOST_TEXT_BYTES || (bracketed && !memchr(host, ':', bytes))) return false;
    for (size_t i = 0; i < bytes; i++)
        if (!strchr(allowed, host[i]) && !(bracketed && (host[i] == ':' || host[i] == '%'))) return false;
    return true;
}

int host_port_parse(const char *text, char host[HOST_TEXT_BYTES], uint16_t *port)
{
    bool bracketed = text[0] == '[';
    const char *start = bracketed ? text + 1 : text;
    const char *end = strrchr(text, bracketed ? ']' : ':');
    if (!end || (bracketed && end[1] != ':')) return MOTH_EBAD_ADDRESS;
    size_t bytes = (size_t)(end - start);
    if (!host_is_plain(start, bytes, bracketed)) return MOTH_EBAD_ADDRESS;
    int rc = port_parse(bracketed ? end + 2 : end + 1, port);
    if (rc < 0) return rc;
    memcpy(host, start, bytes);
    host[bytes] = '\0';
    return 0;
}
