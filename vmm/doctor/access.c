// SPDX-License-Identifier: MIT
#include "vmm/doctor/access.h"

#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <sys/stat.h>

static const struct acl_entry *find_mask(const struct acl *acl)
{
	for (size_t i = 0; i < acl->n; i++)
		if (acl->entry[i].tag == ACL_MASK)
			return &acl->entry[i];
	return NULL;
}

/* By an entry that the mask holds for. */
static struct access by_entry(const struct acl *acl, const struct acl_entry *entry,
			      enum access_by by, uint32_t id, unsigned int want)
{
	const struct acl_entry *mask = find_mask(acl);
	struct access access = {
		.by = by,
		.id = id,
		.perm = entry->perm,
		.mask = mask ? mask->perm : 7,
	};

	access.allowed = (entry->perm & access.mask & want) == want;
	access.masked = !access.allowed && (entry->perm & want) == want;
	return access;
}

static struct access by_bits(enum access_by by, uint32_t id, unsigned int perm, unsigned int want)
{
	return (struct access){
		.allowed = (perm & want) == want,
		.by = by,
		.id = id,
		.perm = perm & 7,
	};
}

/*
 * The user's own entry; else of the groups' the first that is enough, or the first at all; else
 * others.
 */
static struct access by_acl(const struct place *place, const struct person *person,
			    unsigned int want)
{
	const struct acl *acl = &place->acl;
	struct access refused = { .allowed = true };

	for (size_t i = 0; i < acl->n; i++) {
		const struct acl_entry *entry = &acl->entry[i];

		if (entry->tag == ACL_USER && entry->id == person->uid)
			return by_entry(acl, entry, ACCESS_BY_ACL_USER, 0, want);
	}
	for (size_t i = 0; i < acl->n; i++) {
		const struct acl_entry *entry = &acl->entry[i];
		bool own = entry->tag == ACL_GROUP_OBJ;
		uint32_t gid = own ? place->gid : entry->id;
		struct access access;

		if ((!own && entry->tag != ACL_GROUP) || !person_in_group(person, gid))
			continue;
		access = by_entry(acl, entry, own ? ACCESS_BY_GROUP : ACCESS_BY_ACL_GROUP, gid,
				  want);
		if (access.allowed)
			return access;
		if (refused.allowed || (access.masked && !refused.masked))
			refused = access;
	}
	return refused.allowed ? by_bits(ACCESS_BY_OTHER, 0, place->mode, want) : refused;
}

static struct access by_mode_and_acl(const struct place *place, const struct person *person,
				     unsigned int want)
{
	struct access access;

	if (person->uid == place->uid)
		return by_bits(ACCESS_BY_OWNER, 0, place->mode >> 6, want);
	if (place->acl.n && place->mode & S_IRWXG)
		return by_acl(place, person, want);
	if (person_in_group(person, place->gid))
		access = by_bits(ACCESS_BY_GROUP, place->gid, place->mode >> 3, want);
	else
		access = by_bits(ACCESS_BY_OTHER, 0, place->mode, want);
	/* An ACL whose mask is empty is not asked; but it is what people look at. */
	if (!access.allowed && place->acl.n) {
		struct access acl = by_acl(place, person, want);

		if (acl.masked || acl.by == ACCESS_BY_GROUP)
			return acl;
	}
	return access;
}

/* Capabilities override what the above refuses. */
static bool overrides(const struct place *place, const struct person *person, unsigned int want)
{
	if (S_ISDIR(place->mode)) {
		if (!(want & ACCESS_WRITE) && person_can(person, CAP_DAC_READ_SEARCH))
			return true;
		return person_can(person, CAP_DAC_OVERRIDE);
	}
	if (want == ACCESS_READ && person_can(person, CAP_DAC_READ_SEARCH))
		return true;
	return (!(want & ACCESS_EXEC) || place->mode & 0111) &&
	       person_can(person, CAP_DAC_OVERRIDE);
}

struct access access_check(const struct place *place, const struct person *person,
			   unsigned int want)
{
	struct access access = by_mode_and_acl(place, person, want);

	if (!access.allowed && overrides(place, person, want))
		return (struct access){ .allowed = true, .by = ACCESS_BY_CAPABILITY };
	return access;
}
