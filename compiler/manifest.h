/* A manifest: what a kernel calls otherwise than expected, or what it lacks. Lines `name: value`;
 * empty ones and those that begin with '#' say nothing.
 *
 *   role: ClassName     the class that plays the role (roles.h)
 *   prefix: M           class names lose it
 *   replace: FILE       sources whose classes and methods go in place of those of the same name;
 *                       the path is relative to the manifest's folder
 *   initialize: no      the start does not send `initialize` to classes
 */
#ifndef OSVM_COMPILER_MANIFEST_H
#define OSVM_COMPILER_MANIFEST_H

#include "model.h"

typedef struct {
    const char *name;
    const char *value;
    size_t start, value_start, end; /* of the name and the value in the source */
} ManifestLine;

typedef struct {
    const SourceText *source;
    ManifestLine *items;
    size_t count, capacity;
} Manifest;

/* NULL, and a report, when the file cannot be read. */
Manifest *manifest_read(CompileTools *tools, const char *path);

/* Reads the sources that replace others, and takes the prefix. */
void manifest_apply(const Manifest *manifest, Program *program);

/* The value of the last line of this name; NULL: there is none (or no manifest). */
const char *manifest_value(const Manifest *manifest, const char *name);

/* Does the line name a class for a role? */
bool manifest_line_is_role(const ManifestLine *line);

#endif
