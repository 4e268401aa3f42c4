/* tmux_server.h -- the tmux server of the running test, which its terminals (tmux.h) live in. */
#ifndef SCENARIO_TMUX_SERVER_H
#define SCENARIO_TMUX_SERVER_H

/* Starts it unless it runs. Skips the test where tmux is not installed. */
void tmux_server_need(void);

/* Runs one command of tmux. Returns what it printed, for the caller to free; not 0 in `status`: it was refused. */
char *tmux_server_ask(const char *const arguments[], int *status);
#define TMUX_ASK(status, ...) tmux_server_ask((const char *const[]){__VA_ARGS__, NULL}, (status))

/* The same for what cannot be refused: that fails the test. */
void tmux_server_command(const char *const arguments[]);
#define TMUX_COMMAND(...) tmux_server_command((const char *const[]){__VA_ARGS__, NULL})

/* Lets it look whether children of its own have ended: now and then it misses that. */
void tmux_server_nudge(void);

void tmux_server_end(void);

#endif
