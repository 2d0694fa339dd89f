/* Dates of FAT, and the core's: nanoseconds since 1970. offset_s: seconds from the volume's time to UTC. */
#ifndef VFAT_DATE_H
#define VFAT_DATE_H

#include <kumo/types.h>

struct fat_date {
	u16 date, time;
	u8 centiseconds; /* up to 199, added to the time; of creation alone */
};

s64 date_to_ns(struct fat_date date, s32 offset_s);
struct fat_date date_from_ns(s64 ns, s32 offset_s);
/* What of a time an entry can hold: of a change (2 s), of an access (a day), of the creation (10 ms). */
s64 date_modified(s64 ns, s32 offset_s);
s64 date_accessed(s64 ns, s32 offset_s);
s64 date_created(s64 ns, s32 offset_s);

#endif
