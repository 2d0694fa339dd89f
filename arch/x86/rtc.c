/* The battery-backed clock of a PC (MC146818): the date at the start. It is taken to show UTC. */
#include <kumo/arch/acpi.h>
#include <kumo/arch/irqflags.h>
#include <kumo/io.h>
#include <kumo/string.h>
#include <kumo/time.h>

enum { CMOS_INDEX = 0x70, CMOS_DATA = 0x71 };
enum {
	SECONDS,
	MINUTES = 2,
	HOURS = 4,
	DAY = 7,
	MONTH = 8,
	YEAR = 9,
	STATUS_A = 10,
	STATUS_B = 11
};
enum { UPDATING = 0x80, HOURS_24 = 2, BINARY = 4, AFTERNOON = 0x80 };

struct date {
	u8 second, minute, hour, day, month, year, century;
};

static u8 cmos_read(u8 index)
{
	outb(CMOS_INDEX, index);
	return inb(CMOS_DATA);
}

static void date_read(struct date *date)
{
	date->second = cmos_read(SECONDS);
	date->minute = cmos_read(MINUTES);
	date->hour = cmos_read(HOURS);
	date->day = cmos_read(DAY);
	date->month = cmos_read(MONTH);
	date->year = cmos_read(YEAR);
	date->century = acpi_machine.century_register ? cmos_read(acpi_machine.century_register) : 0;
}

static unsigned int from_bcd(u8 value)
{
	return (value & 15) + (value >> 4) * 10u;
}

/* Days since 1970 of a Gregorian date. Years are counted from March, so that the leap day is the last. */
static u64 days_since_1970(unsigned int year, unsigned int month, unsigned int day)
{
	if (month <= 2) {
		month += 12;
		year--;
	}
	return 365ULL * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 +
	       day - 1 - 719468;
}

u64 arch_rtc_seconds(void)
{
	struct date date = {}, again;
	unsigned int year, hour;
	u8 format = cmos_read(STATUS_B);
	bool afternoon;

	/* Good when two readings agree and no update was under way; a clock that never does so shows nothing of use. */
	for (int i = 0;; i++) {
		if (i == 1000)
			return 0;
		date_read(&again);
		if (cmos_read(STATUS_A) & UPDATING)
			continue;
		if (!memcmp(&date, &again, sizeof(date)))
			break;
		date = again;
	}

	afternoon = !(format & HOURS_24) && date.hour & AFTERNOON;
	if (!(format & HOURS_24))
		date.hour &= (u8)~AFTERNOON;
	if (!(format & BINARY)) {
		date.second = (u8)from_bcd(date.second);
		date.minute = (u8)from_bcd(date.minute);
		date.hour = (u8)from_bcd(date.hour);
		date.day = (u8)from_bcd(date.day);
		date.month = (u8)from_bcd(date.month);
		date.year = (u8)from_bcd(date.year);
		date.century = (u8)from_bcd(date.century);
	}
	hour = format & HOURS_24 ? date.hour : date.hour % 12 + (afternoon ? 12 : 0);
	if (date.century < 19 || date.century > 30)
		date.century = date.year < 70 ? 20 : 19;
	year = date.century * 100u + date.year;
	if (year < 1970 || !date.month || date.month > 12 || !date.day || date.day > 31 ||
	    hour > 23 || date.minute > 59 || date.second > 60)
		return 0;
	return (days_since_1970(year, date.month, date.day) * 24 + hour) * 3600 +
	       date.minute * 60u + date.second;
}
