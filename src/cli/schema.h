/* cli/schema.h - the options of a schema (base/fields.h) as a table, in Markdown and in JSON:
 * for every command that tells what a word of its own has. NULL is a schema without options.
 */
#ifndef GI_SCHEMA_H
#define GI_SCHEMA_H

#include "base/fields.h"
#include "cli/cli.h"

/* An empty line, then option, default, meaning and values; nothing where there is no option. */
void gi_schema_text(gi_str *out, const gi_field *fields);
void gi_schema_markdown(gi_str *out, const gi_field *fields);
gi_json *gi_schema_json(const gi_field *fields);

#endif /* GI_SCHEMA_H */
