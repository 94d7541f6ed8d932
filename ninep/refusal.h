/* SPDX-License-Identifier: MIT */
/* Tells whoever wants to know (p9_server_on_refusal()) what the host refused to a guest. */
#ifndef NINEP_REFUSAL_H
#define NINEP_REFUSAL_H

#include "ninep/node.h"
#include "ninep/p9.h"

struct p9_req;

/*
 * Done with node, or with name in it (NULL: node itself), this came to err: tells of it if it is
 * negative and a refusal, and returns it. The caller has a reference to node. Does not wait.
 */
int p9_refused(struct p9_req *req, enum p9_refused what, const struct p9_node *node,
	       const char *name, int err);

#endif
