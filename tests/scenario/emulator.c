/* emulator.c -- cells and escape sequences for emulator.h. */
#include "emulator.h"

#include <stdlib.h>
#include <string.h>

static void clear_cells(struct emulator *e, int row, int from, int to)
{
    if (from < to) memset(e->cells[row] + from, ' ', (size_t)(to - from));
}

void emulator_init(struct emulator *e)
{
    memset(e, 0, sizeof *e);
    for (int row = 0; row < EMULATOR_ROWS; row++) clear_cells(e, row, 0, EMULATOR_COLUMNS);
}

const char *emulator_current(const struct emulator *e)
{
    return e->cells[e->row];
}

static void scroll(struct emulator *e)
{
    char row[EMULATOR_COLUMNS + 1];
    size_t bytes = EMULATOR_COLUMNS;
    memcpy(row, e->cells[0], sizeof row);
    while (bytes > 0 && row[bytes - 1] == ' ') bytes--;
    row[bytes] = '\0';
    memmove(e->cells[0], e->cells[1], sizeof e->cells[0] * (EMULATOR_ROWS - 1));
    clear_cells(e, EMULATOR_ROWS - 1, 0, EMULATOR_COLUMNS);
    if (e->on_gone) e->on_gone(e->owner, row);
}

static void line_feed(struct emulator *e)
{
    if (e->row == EMULATOR_ROWS - 1) scroll(e);
    else e->row++;
}

static void print(struct emulator *e, char c)
{
    if (e->is_full) {
        e->is_full = false;
        e->column = 0;
        line_feed(e);
    }
    e->cells[e->row][e->column] = c;
    if (e->column == EMULATOR_COLUMNS - 1) e->is_full = true;
    else e->column++;
}

static int within(int value, int end)
{
    return value < 0 ? 0 : value >= end ? end - 1 : value;
}

static void go_to(struct emulator *e, int row, int column)
{
    e->row = within(row, EMULATOR_ROWS);
    e->column = within(column, EMULATOR_COLUMNS);
    e->is_full = false;
}

static void erase_in_row(struct emulator *e, int how)
{
    clear_cells(e, e->row, how == 0 ? e->column : 0, how == 1 ? e->column + 1 : EMULATOR_COLUMNS);
}

static void erase_in_screen(struct emulator *e, int how)
{
    erase_in_row(e, how);
    int first = how == 0 ? e->row + 1 : 0, end = how == 1 ? e->row : EMULATOR_ROWS;
    for (int row = first; row < end; row++) clear_cells(e, row, 0, EMULATOR_COLUMNS);
}

/* Moves the rest of the row by `count` cells, to the right when that is above 0. */
static void shift(struct emulator *e, int count)
{
    char *cell = e->cells[e->row] + e->column;
    int rest = EMULATOR_COLUMNS - e->column, away = abs(count) < rest ? abs(count) : rest;
    if (count > 0) memmove(cell + away, cell, (size_t)(rest - away));
    else memmove(cell, cell + away, (size_t)(rest - away));
    int from = count > 0 ? e->column : EMULATOR_COLUMNS - away;
    clear_cells(e, e->row, from, from + away);
}

/* CSI PARAMETERS FINAL; what is asked for but changes no cell is fine. */
static void obey(struct emulator *e, const char *parameters, char final)
{
    char *rest;
    int first = (int)strtol(parameters, &rest, 10), count = first > 0 ? first : 1;
    int second = *rest == ';' ? (int)strtol(rest + 1, NULL, 10) : 1;
    switch (final) {
    case 'A': go_to(e, e->row - count, e->column); break;
    case 'B': go_to(e, e->row + count, e->column); break;
    case 'C': go_to(e, e->row, e->column + count); break;
    case 'D': go_to(e, e->row, e->column - count); break;
    case 'G': go_to(e, e->row, count - 1); break;
    case 'H': go_to(e, count - 1, second - 1); break;
    case 'J': erase_in_screen(e, first); break;
    case 'K': erase_in_row(e, first); break;
    case '@': shift(e, count); break;
    case 'P': shift(e, -count); break;
    case 'h':
    case 'l':
    case 'm': break;
    default: e->unknown++;
    }
}

/* One more byte of a sequence. */
static void go_on(struct emulator *e, char c)
{
    bool is_csi = e->sequence[0] == '[';
    if (e->sequence_bytes == sizeof e->sequence - 1) {
        e->unknown++;
        e->sequence_bytes = 0;
        return;
    }
    e->sequence[e->sequence_bytes - 1] = c;
    e->sequence[e->sequence_bytes++] = '\0';
    if (e->sequence_bytes == 2) {
        if (c == '[') return;
        if (c != '=' && c != '>') e->unknown++;
    } else if (is_csi && (c < '@' || c > '~')) {
        return;
    } else {
        e->sequence[e->sequence_bytes - 2] = '\0';
        obey(e, e->sequence + 1, c);
    }
    e->sequence_bytes = 0;
}

static void take(struct emulator *e, char c)
{
    if (e->sequence_bytes > 0) go_on(e, c);
    else if (c == '\033') e->sequence_bytes = 1;
    else if (c == '\r') go_to(e, e->row, 0);
    else if (c == '\b') go_to(e, e->row, e->column - 1);
    else if (c == '\n') line_feed(e);
    else if (c != '\a') print(e, c);
}

void emulator_feed(struct emulator *e, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) take(e, bytes[i]);
}
