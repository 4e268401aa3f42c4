/* console_complete.c -- Tab: what the owner offers, as readline wants it; the other half of the door. */
#include "cli/console_private.h"

#include "base/mem.h"
#include "cli/console_words.h"

#include <stdlib.h>

#include <readline/readline.h>

#define LUA_BREAKS " \t\n=(){}[],;+*^%<>~#|&\"'"

void console_offer(struct console *c, const char *word, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if ((uint8_t)word[i] < ' ' || word[i] == 0x7f) return;
    c->offers = mem_resize(c->offers, c->offer_count + 1, sizeof *c->offers);
    c->offers[c->offer_count] = mem_new(bytes + 1);
    memcpy(c->offers[c->offer_count++], word, bytes);
}

static char *next_offer(const char *text, int state)
{
    struct console *c = console_the;
    if (state == 0) c->offer_at = 0;
    while (c->offer_at < c->offer_count) {
        const char *offer = c->offers[c->offer_at++];
        if (strncmp(offer, text, strlen(text)) == 0) return strdup(offer);
    }
    return NULL;
}

void console_forget_offers(struct console *c)
{
    for (size_t i = 0; i < c->offer_count; i++) free(c->offers[i]);
    free(c->offers);
    c->offers = NULL;
    c->offer_count = 0;
}

static char **complete(const char *text, int start, int end)
{
    struct console *c = console_the;
    (void)end;
    rl_attempted_completion_over = 1;
    if (!c->setup.on_complete) return NULL;
    c->setup.on_complete(c->setup.owner, c, rl_line_buffer, (size_t)rl_point, (size_t)start);
    char **matches = rl_completion_matches(text, next_offer);
    console_forget_offers(c);
    if (matches && matches[0] && !matches[1] && *matches[0] && strchr("/.:(", matches[0][strlen(matches[0]) - 1]))
        rl_completion_suppress_append = 1;
    return matches;
}

/* Words of a command end at blanks; those of Lua at much more. */
static char *word_breaks(void)
{
    static char blanks[] = " \t\n", lua[] = LUA_BREAKS;
    return words_are_of_command(rl_line_buffer) ? blanks : lua;
}

/* Above the line, like everything that is said. */
static void show_matches(char **matches, int count, int longest)
{
    struct console *c = console_the;
    struct buf text = {0};
    (void)longest; /* in bytes */
    words_in_columns((const char *const *)matches + 1, (size_t)count, console_width(c), &text);
    console_print(c, (const char *)buf_span(&text).data, buf_bytes(&text), 0);
    buf_fini(&text);
}

void console_set_up_completion(void)
{
    rl_attempted_completion_function = complete;
    rl_completion_word_break_hook = word_breaks;
    rl_completion_display_matches_hook = show_matches;
    rl_completion_query_items = 0; /* it would wait for a y */
    rl_completer_quote_characters = "";
}
