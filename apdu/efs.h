/* efs.h - names of the files that a UICC has (TS 102 221 13, TS 31.102 4): what people type and read instead of file ids. */
#ifndef APDU_EFS_H
#define APDU_EFS_H

#include <stddef.h>

struct ef_name {
	const char *path; /* file ids joined by /, 7FFF for the application */
	const char *name; /* "EF_IMSI", "DF_PROSE" */
};

/* In the order of a tree: a directory before what is in it. */
extern const struct ef_name ef_names[];
extern const size_t ef_name_count;

#endif
