/* ledger_book.h -- the ledger, read and judged.
 *
 * Actors append lines to a text file, each by one write:
 *
 *   sent SENDER ID RECEIVER NUMBER            the text of the message is its number
 *   promised SENDER ID RECEIVER STATE
 *   got RECEIVER SENDER ID REDELIVERED TEXT   REDELIVERED is 0 or 1
 *   noted ACTOR ANYTHING                      for people
 *
 * The book is an SQLite database in memory, for what is asked of it are questions about sets. */
#ifndef SCENARIO_LEDGER_BOOK_H
#define SCENARIO_LEDGER_BOOK_H

#include "ledger.h"

#include "moth/types.h"

struct book;

struct book *book_open(const char *path); /* of the text file */
void book_close(struct book *b);

/* Who is who in the databases of others. */
void book_name(struct book *b, const char *name, const struct moth_id *id);

/* Reads the lines that came since. False when one of them makes no sense. */
bool book_read(struct book *b);

/* Copies the keys of what a receiver's database keeps in its inbox. The node must have been closed. False when it
 * cannot be read. From then on a message counts as arrived only when it is in there, too. */
bool book_read_inbox(struct book *b, const char *receiver, const char *home);

uint64_t book_missing(const struct book *b);                     /* promised, and not arrived yet */
void book_judge(const struct book *b, struct ledger_verdict *v); /* all but kills and complaints */
void book_print_missing(const struct book *b);                   /* the first few, each with what is known of it */

#endif
