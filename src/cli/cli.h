/* cli/cli.h - floor 11: what a command of the glia program is, and what it may call.
 *
 * A command is one row in one file of src/cli/commands/. Its row says its name, its help, its
 * options and its arguments; the parser, `glia VERB --help`, the manual page and the
 * completions of the shells all read that row, so that none of them can be out of step.
 *
 * Results go to stdout, everything else (progress, notes, errors) to stderr. A command returns
 * a status; main.c prints the message of a failure and exits with glia_status_exit().
 */
#ifndef GI_CLI_H
#define GI_CLI_H

#include "base/base.h"
#include "base/json.h"
#include "glia/tensor.h"

/* ---- the table of commands -------------------------------------------------------------- */

typedef enum gi_option_kind {
  GI_OPTION_FLAG,   /* --name, no value */
  GI_OPTION_I64,    /* a whole number, min..max */
  GI_OPTION_F64,    /* a finite number, min..max */
  GI_OPTION_BYTES,  /* "500M", "2G"; read as I64 */
  GI_OPTION_TEXT,   /* anything, as it is */
  GI_OPTION_PATH,   /* a file or folder: shells complete it */
  GI_OPTION_CHOICE, /* one of `choices` */
  GI_OPTION_VERB,   /* words of a verb of the program (arguments only) */
} gi_option_kind;

/* One option. The same struct without letter and name dashes describes an argument. */
typedef struct gi_option {
  const char *name; /* "epochs" for --epochs */
  char letter;      /* 'e' for -e; 0: none */
  gi_option_kind kind;
  const char *value;          /* what help calls the value: "N", "FILE"; NULL: from the kind */
  double min, max;            /* of numbers; max 0: no upper limit; exact up to 2^53 */
  bool above;                 /* min itself is refused */
  const char *const *choices; /* NULL-terminated, of GI_OPTION_CHOICE */
  const char *fallback;       /* default as one would type it; NULL: not given */
  const char *help;           /* one line, lower case, no full stop */
} gi_option;

/* One argument that is known by its place. */
typedef struct gi_argument {
  const char *name;    /* in capitals: "DATA" */
  gi_option_kind kind; /* TEXT, PATH, CHOICE or VERB */
  bool optional, many; /* `many` only for the last: it takes all that is left */
  const char *const *choices;
  const char *help;
} gi_argument;

/* The chapters of `glia help`, in this order. */
typedef enum gi_group {
  GI_GROUP_TRAIN,
  GI_GROUP_LOOK,
  GI_GROUP_DATA,
  GI_GROUP_PROGRAM
} gi_group;

typedef struct gi_cli gi_cli;

typedef struct gi_command {
  const char *name; /* the verb; several words are joined by one space: "data make" */
  gi_group group;
  const char *summary; /* one line, lower case, no full stop */
  const char *help;    /* paragraphs parted by an empty line; lines within are joined */
  const char *example; /* command lines, one a line; NULL: none */
  const gi_argument *arguments; /* up to the first without a name; NULL: none */
  const gi_option *options;     /* likewise; the common ones are added by the parser */
  glia_status (*run)(gi_cli *c);
} gi_command;

int gi_command_count(void);
const gi_command *gi_command_at(int i); /* in group, then name order; NULL out of range */
const gi_command *gi_command_find(const char *name); /* NULL: none of that name */
/* GLIA_INVALID that names the nearest verb, or the verbs that begin with the same word. */
glia_status gi_command_unknown(const char *name);

/* Options that several commands have in the same words. */
#define GI_OPTION_SEED                                                         \
  {                                                                            \
    .name = "seed", .kind = GI_OPTION_I64, .fallback = "0",                    \
    .help = "start of all random numbers; the same seed gives the same result" \
  }
#define GI_OPTION_THREADS                                                                 \
  {                                                                                       \
    .name = "threads", .kind = GI_OPTION_I64, .min = 1, .max = 1024,                      \
    .help =                                                                               \
        "processor threads to use; more than there are cores gain nothing (default: all " \
        "cores)"                                                                          \
  }

#define GI_OPTION_MEMORY_LIMIT                                                \
  {                                                                           \
    .name = "memory-limit", .kind = GI_OPTION_BYTES,                          \
    .help =                                                                   \
        "most memory that a training step may work in: what does not fit is " \
        "computed a second time (default: no limit)"                          \
  }

#define GI_OPTION_PRECISION                                                  \
  {                                                                          \
    .name = "precision", .kind = GI_OPTION_CHOICE, .choices = gi_precisions, \
    .fallback = "f32",                                                       \
    .help =                                                                  \
        "bf16: activations and the inputs of products are stored as 16-bit " \
        "floats; parameters, statistics and losses stay f32"                 \
  }

#define GI_OPTION_TUNE(seconds)                                                         \
  {                                                                                     \
    .name = "tune", .kind = GI_OPTION_F64, .value = "SECONDS", .max = 86400,            \
    .fallback = seconds,                                                                \
    .help =                                                                             \
        "time to spend at most on timing kernels that compete; the times are kept for " \
        "this machine; 0: none"                                                         \
  }
#define GI_OPTION_DETERMINISTIC                                                      \
  {                                                                                  \
    .name = "deterministic",                                                         \
    .help =                                                                          \
        "choose kernels by a model, not by times: the same choice, and so the same " \
        "bits, on every run and with any number of threads"                          \
  }

#define GI_OPTION_EXACT_CONV                                                         \
  {                                                                                  \
    .name = "exact-conv",                                                            \
    .help =                                                                          \
        "no convolution by Winograd's algorithm, which is faster and whose largest " \
        "error is 3e-5 of the results' root mean square"                             \
  }

#define GI_OPTION_BACKEND                                                    \
  {                                                                          \
    .name = "backend", .kind = GI_OPTION_TEXT, .value = "NAME",              \
    .help = "kernels to run on: cpu or ref (default: the fastest there are)" \
  }

/* "f32", "bf16"; and what --precision says. */
extern const char *const gi_precisions[];
glia_dtype gi_cli_precision(const gi_cli *c);

/* The options of every command (--json, --quiet, --help), ended by one without a name. */
extern const gi_option gi_common_options[];

/* ---- one call of a command -------------------------------------------------------------- */

/* What was typed for one option. */
typedef struct gi_typed {
  const gi_option *option;
  bool given;       /* on the command line, not by default */
  const char *text; /* NULL: neither given nor a default */
  int64_t i;        /* I64, BYTES; index into choices of CHOICE; 1 of a FLAG that was given */
  double f;         /* F64 */
} gi_typed;

enum { GI_CLI_MAX_OPTIONS = 48, GI_CLI_MAX_ARGUMENTS = 8 };

struct gi_cli {
  const gi_command *command;
  gi_typed options[GI_CLI_MAX_OPTIONS];
  int n_options;
  const char *arguments[GI_CLI_MAX_ARGUMENTS]; /* by place; NULL: not given */
  const char *const *rest; /* what a `many` argument took; borrowed from argv */
  int n_rest;
  bool json, quiet, help;
};

/* Fits argv (the words behind the verb) to the command's row. GLIA_INVALID says which word,
 * what it is and what was wanted. argv is reordered and kept until c is no longer used. */
glia_status gi_cli_parse(gi_cli *c, const gi_command *command, int argc, const char **argv);

/* Values by name; a name that the row does not have is a fault of the command (assert). */
bool gi_cli_given(const gi_cli *c, const char *name);
bool gi_cli_flag(const gi_cli *c, const char *name);
int64_t gi_cli_i64(const gi_cli *c, const char *name);
double gi_cli_f64(const gi_cli *c, const char *name);
const char *gi_cli_text(const gi_cli *c, const char *name); /* NULL: not given, no default */
int gi_cli_choice(const gi_cli *c, const char *name);       /* index; -1: not given */
const char *gi_cli_argument(const gi_cli *c, const char *name); /* NULL: not given */

/* ---- what commands print with ----------------------------------------------------------- */

/* Prints j as one line on stdout and frees it, also on failure. GLIA_NOMEM if building it
 * failed. */
glia_status gi_cli_print_json(gi_json *j);
/* Prints text made with gi_str on stdout and frees it; GLIA_NOMEM if building it failed. */
glia_status gi_cli_print_text(gi_str *text);
/* One line on stderr, unless --quiet; a progress bar that is up is drawn again behind it. */
void gi_cli_note(const gi_cli *c, const char *fmt, ...) GLIA_PRINTF(2, 3);

/* Sends what the library logs to stderr while a command runs; NULL: no more. */
void gi_cli_listen(gi_cli *c);

/* Takes Ctrl-C and a polite kill from now on. */
void gi_interrupts_watch(void);
/* True once the user asked to stop ; long work asks this and returns GLIA_CANCELLED when all is
 * saved. The second time, the program ends at once. */
bool gi_interrupted(void);

/* ---- text made from the table (help.c, man.c, completion.c) ------------------------------ */

void gi_help_overview(gi_str *out);
void gi_help_command(gi_str *out, const gi_command *command);
void gi_help_usage(gi_str *out, const gi_command *command); /* "glia train DATA [OPTIONS]" */
gi_json *gi_help_json(const gi_command *command);           /* NULL: of all commands */
void gi_help_man(gi_str *out);                              /* the manual page, roff */
/* How help writes an option: "-o, --option VALUE". */
void gi_help_option(gi_str *out, const gi_option *option);
/* What a value may be: "a whole number from 1 to 9", "one of: a, b". */
void gi_help_range(gi_str *out, const gi_option *option);
extern const char *const gi_group_titles[]; /* by gi_group */
/* name and what it means, as help and manual list exit codes and environment variables. */
typedef struct gi_pair {
  const char *name, *text;
} gi_pair;
extern const gi_pair gi_help_exits[], gi_help_environment[]; /* ended by a NULL name */

extern const char *const gi_shells[]; /* "bash", "zsh", "fish", NULL */
void gi_completion(gi_str *out, int shell);

#endif /* GI_CLI_H */
