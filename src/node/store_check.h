/* store_check.h -- a look at the database of a node that does not run; nothing of it is changed, and no file is made
 * beside it. */
#ifndef NODE_STORE_CHECK_H
#define NODE_STORE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

struct store_facts {
    int64_t version, newest; /* of the schema: the file's, and the one this program makes of it */
    int64_t waiting, arrived, peers;
    bool was_clean; /* the last node that held it ended in order */
};

/* `has_log`: there is a moth.db-wal that is not empty. Takes as long as reading all of the file. MOTH_EDAMAGED;
 * MOTH_ENEWER, with the versions filled in; MOTH_EPERMISSION, MOTH_EIO. */
int store_check(const char *home, bool has_log, struct store_facts *out);

#endif
