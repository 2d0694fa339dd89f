/*
 * Dates as FAT has them: days since 1980 by year, month and day, seconds by twos, hundredths for the creation alone; and in local
 * time, of which the mount says how far it is from UTC. What cannot be said becomes the nearest that can.
 */
#include "date.h"

#include <kumo/string.h>
#include <kumo/time.h>

#define DAY_S 86400
#define DAYS_TO_1980 3652 /* from 1970 */
#define YEAR_FIRST 1980
#define YEAR_LAST 2107

static bool is_leap_year(u32 year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static u32 month_days(u32 year, u32 month)
{
	static const u8 days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month] + (month == 1 && is_leap_year(year));
}

static u32 year_days(u32 year)
{
	return is_leap_year(year) ? 366 : 365;
}

s64 date_to_ns(struct fat_date date, s32 offset_s)
{
	u32 year = YEAR_FIRST + (date.date >> 9);
	u32 month = min(max(date.date >> 5 & 15u, 1u), 12u) - 1, day = max(date.date & 31u, 1u) - 1;
	s64 days = DAYS_TO_1980 + day, seconds;

	for (u32 before = YEAR_FIRST; before < year; before++)
		days += year_days(before);
	for (u32 before = 0; before < month; before++)
		days += month_days(year, before);
	seconds = days * DAY_S + (date.time >> 11) * 3600 + (date.time >> 5 & 63) * 60 +
		  (date.time & 31) * 2;
	return (seconds + offset_s) * (s64)NSEC_PER_SEC +
	       (s64)date.centiseconds * (s64)(NSEC_PER_SEC / 100);
}

struct fat_date date_from_ns(s64 ns, s32 offset_s)
{
	s64 centiseconds = ns / (s64)(NSEC_PER_SEC / 100) - (s64)offset_s * 100;
	s64 seconds = centiseconds / 100;
	u32 days, rest, year = YEAR_FIRST, month = 0;

	if (ns < 0 || seconds < (s64)DAYS_TO_1980 * DAY_S)
		return (struct fat_date){ .date = 1 << 5 | 1 };
	days = (u32)(min(seconds / DAY_S, (s64)~0u)) - DAYS_TO_1980;
	rest = (u32)(seconds % DAY_S);
	for (; year <= YEAR_LAST && days >= year_days(year); year++)
		days -= year_days(year);
	if (year > YEAR_LAST)
		return (struct fat_date){ .date = (YEAR_LAST - YEAR_FIRST) << 9 | 12 << 5 | 31,
					  .time = 23 << 11 | 59 << 5 | 29,
					  .centiseconds = 199 };
	for (; days >= month_days(year, month); month++)
		days -= month_days(year, month);
	return (struct fat_date){
		.date = (u16)((year - YEAR_FIRST) << 9 | (month + 1) << 5 | (days + 1)),
		.time = (u16)(rest / 3600 << 11 | rest / 60 % 60 << 5 | rest % 60 / 2),
		.centiseconds = (u8)(seconds % 2 * 100 + centiseconds % 100)
	};
}

s64 date_modified(s64 ns, s32 offset_s)
{
	struct fat_date date = date_from_ns(ns, offset_s);

	date.centiseconds = 0;
	return date_to_ns(date, offset_s);
}

s64 date_accessed(s64 ns, s32 offset_s)
{
	return date_to_ns((struct fat_date){ .date = date_from_ns(ns, offset_s).date }, offset_s);
}

s64 date_created(s64 ns, s32 offset_s)
{
	return date_to_ns(date_from_ns(ns, offset_s), offset_s);
}
