/*
 * Whom a client acts for: from the name or number that it attaches with to credentials.
 *
 * Who exports without the privilege to become anybody (CAP_SETUID and CAP_SETGID) shares what he himself may do: all clients are he.
 * Otherwise the peer is trusted to say for whom it acts, for it is who was given the other end; but the peer of a Unix socket, which
 * the core knows, can be no more than itself unless it is privileged. Then squashing makes root, or everybody, the anonymous user.
 *
 * A name is what a line "user" of the export says, or a number, or "root". Nobody in the kernel reads /etc/passwd, so
 * supplementary groups are those of such lines, too; without one a user's group has his number, as Debian makes them.
 */
#include "server.h"

#include <kumo/err.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/capability.h>

/* ---- Names ---- */

static const struct known_user *find_name(const struct export *export, struct ninep_string name)
{
	const struct known_user *user;

	list_for_each(user, &export->users, link)
		if (ninep_string_is(name, user->name))
			return user;
	return NULL;
}

static const struct known_user *find_number(const struct export *export, u32 uid)
{
	const struct known_user *user;

	list_for_each(user, &export->users, link)
		if (user->uid == uid)
			return user;
	return NULL;
}

u32 export_user_number(const struct export *export, struct ninep_string name)
{
	const struct known_user *user = find_name(export, name);
	char text[12];
	u64 number;

	if (user)
		return user->uid;
	if (ninep_string_is(name, "root"))
		return 0;
	if (!name.length || name.length >= sizeof(text))
		return NINEP_NO_NUMBER;
	memcpy(text, name.text, name.length);
	text[name.length] = '\0';
	return parse_u64(text, 10, &number) || number > ~0U ? NINEP_NO_NUMBER : (u32)number;
}

struct ninep_string export_user_name(const struct export *export, u32 uid, char *buffer, size_t size)
{
	const struct known_user *user = find_number(export, uid);

	if (user)
		return ninep_string(user->name);
	scnprintf(buffer, size, "%u", uid);
	return ninep_string(buffer);
}

/* ---- Credentials ---- */

static void cred_drop_privilege(struct cred *cred)
{
	cred->cap_permitted = cred->cap_effective = cred->cap_inheritable = cred->cap_ambient = 0;
}

/* Of who exports, but for the numbers: no more privilege than he has, and none for who is not root. */
static const struct cred *cred_make(const struct export *export, u32 uid, u32 gid,
				    const struct known_user *user)
{
	u32 count = user ? user->group_count : 0;
	struct cred *cred = cred_copy(export->cred, count);

	if (!cred)
		return ERR_PTR(-ENOMEM);
	if (cred_set_uid(cred, uid)) {
		cred_put(cred);
		return ERR_PTR(-ENOMEM);
	}
	cred->euid = cred->suid = cred->fsuid = uid;
	cred->gid = cred->egid = cred->sgid = cred->fsgid = count ? user->gids[0] : gid;
	for (u32 i = 0; i < count; i++) { /* sorted, as the core expects them */
		u32 at = i;

		for (; at && cred->groups[at - 1] > user->gids[i]; at--)
			cred->groups[at] = cred->groups[at - 1];
		cred->groups[at] = user->gids[i];
	}
	cred->no_new_privs = true;
	if (uid && !export->checked)
		cred_drop_privilege(cred);
	return cred;
}

const struct cred *export_user(const struct export *export, struct ninep_string name, u32 number,
			       bool *squashed)
{
	u32 uid = number;

	*squashed = true;
	if (!export->trusts)
		return cred_get(export->cred);
	if (uid == NINEP_NO_NUMBER)
		uid = export_user_number(export, name);
	if (export->only_uid != NINEP_NO_NUMBER) {
		if (uid == NINEP_NO_NUMBER)
			uid = export->only_uid;
		if (uid != export->only_uid)
			return ERR_PTR(-EACCES);
	}
	if (uid == NINEP_NO_NUMBER || export->squash == SQUASH_ALL ||
	    (export->squash == SQUASH_ROOT && !uid))
		return cred_make(export, export->anonymous_uid, export->anonymous_gid, NULL);
	*squashed = export->only_uid != NINEP_NO_NUMBER;
	return cred_make(export, uid, uid, find_number(export, uid));
}

/* ---- Lines "user" ---- */

static char *next_word(char **rest)
{
	char *word = *rest;

	while (*word == ' ')
		word++;
	*rest = word;
	while (**rest && **rest != ' ')
		(*rest)++;
	if (**rest)
		*(*rest)++ = '\0';
	return *word ? word : NULL;
}

static struct known_user *known_user_make(const char *name, u32 group_count)
{
	size_t length = strlen(name) + 1;
	struct known_user *user = kmalloc(sizeof(*user) + length, GFP_KERNEL);

	if (!user)
		return NULL;
	user->gids = kcalloc(group_count, sizeof(u32), GFP_KERNEL);
	if (!user->gids) {
		kfree(user);
		return NULL;
	}
	user->group_count = group_count;
	memcpy(user->name, name, length);
	return user;
}

static void known_user_free(struct known_user *user)
{
	kfree(user->gids);
	kfree(user);
}

#define GROUPS_OF_USER_MAX 64

int known_user_parse(char *words, struct known_user **made)
{
	char *name = next_word(&words), *word;
	u32 gids[GROUPS_OF_USER_MAX], count = 0;
	u64 number, uid;

	word = name ? next_word(&words) : NULL;
	if (!word || parse_u64(word, 10, &uid) || uid >= NINEP_NO_NUMBER)
		return -EINVAL;
	while ((word = next_word(&words))) {
		if (count == ARRAY_SIZE(gids) || parse_u64(word, 10, &number) || number >= NINEP_NO_NUMBER)
			return -EINVAL;
		gids[count++] = (u32)number;
	}
	if (!count)
		return -EINVAL;
	*made = known_user_make(name, count);
	if (!*made)
		return -ENOMEM;
	(*made)->uid = (u32)uid;
	memcpy((*made)->gids, gids, count * sizeof(u32));
	return 0;
}

int known_users_copy(struct list *to, const struct list *from)
{
	const struct known_user *user;

	list_for_each(user, from, link) {
		struct known_user *copy = known_user_make(user->name, user->group_count);

		if (!copy) {
			known_users_free(to);
			return -ENOMEM;
		}
		copy->uid = user->uid;
		memcpy(copy->gids, user->gids, user->group_count * sizeof(u32));
		list_add_tail(to, &copy->link);
	}
	return 0;
}

void known_users_free(struct list *users)
{
	while (!list_empty(users)) {
		struct known_user *user = list_first(users, struct known_user, link);

		list_del(&user->link);
		known_user_free(user);
	}
}
