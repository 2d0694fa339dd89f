/*
 * What the compiler calls in the debug build when it finds undefined behaviour: an index outside its array, a shift by too
 * much, a misaligned or null pointer, a bool or enum of a value that it cannot have, division by zero, code that cannot be
 * reached. Each report is "BUG: ubsan: ..." with the place in the source, types and values. The layout of what the compiler
 * hands over is that of gcc's and clang's libubsan.
 */
#ifdef CONFIG_DEBUG
#include <kumo/export.h>
#include <kumo/printk.h>
#include <kumo/report.h>
#include <kumo/string.h>

struct source_location {
	const char *file;
	u32 line, column;
};

enum { KIND_INTEGER = 0, KIND_FLOAT = 1 };

struct type_descriptor {
	u16 kind;
	u16 info; /* of integers: bit 0 signed, above the logarithm of the width in bits */
	char name[];
};

/* A value: itself where it fits, else its address. */
typedef unsigned long value_t;

struct location_data {
	struct source_location location;
};

struct type_data {
	struct source_location location;
	const struct type_descriptor *type;
};

struct two_types_data {
	struct source_location location;
	const struct type_descriptor *left, *right;
};

struct type_mismatch_data {
	struct source_location location;
	const struct type_descriptor *type;
	u8 log_alignment;
	u8 check; /* what was to be done with the pointer: an index in check_names */
};

struct builtin_data {
	struct source_location location;
	u8 kind; /* 0: count trailing zeros, 1: leading */
};

static const char *const check_names[] = {
	"load from",	  "store to",
	"reference to",	  "member access within",
	"member call on", "constructor of",
	"downcast of",	  "downcast of",
	"upcast of",	  "cast to virtual base of",
	"_Nonnull of",	  "operation on",
};

#define VALUE_TEXT 40

static bool is_signed(const struct type_descriptor *type)
{
	return type->kind == KIND_INTEGER && type->info & 1;
}

/* The value in decimal; longer than a register, only its lower half. */
static const char *value_text(char text[VALUE_TEXT], const struct type_descriptor *type, value_t value)
{
	unsigned int bits = 1U << (type->info >> 1);

	if (type->kind != KIND_INTEGER)
		return "a value";
	if (bits > 64)
		value = *(const value_t *)value;
	else if (bits < 64)
		value &= BIT(bits) - 1;
	if (is_signed(type) && bits < 64 && value & BIT(bits - 1))
		value |= ~(BIT(bits) - 1);
	snprintf(text, VALUE_TEXT, is_signed(type) ? "%ld" : "%lu", value);
	return text;
}

static bool begin(const struct source_location *location, const char *text)
{
	return report_begin("ubsan", "%s at %s:%u:%u", text, location->file, location->line,
			    location->column);
}

static void report_text(const struct source_location *location, const char *text)
{
	if (begin(location, text))
		report_end();
}

void __ubsan_handle_out_of_bounds(const struct two_types_data *data, value_t index);
void __ubsan_handle_out_of_bounds(const struct two_types_data *data, value_t index)
{
	char value[VALUE_TEXT];

	if (!begin(&data->location, "index out of bounds"))
		return;
	report_line("index %s of type %s, array of type %s", value_text(value, data->right, index),
		    data->right->name, data->left->name);
	report_end();
}
EXPORT_SYMBOL(__ubsan_handle_out_of_bounds);

void __ubsan_handle_shift_out_of_bounds(const struct two_types_data *data, value_t left, value_t right);
void __ubsan_handle_shift_out_of_bounds(const struct two_types_data *data, value_t left, value_t right)
{
	char shifted[VALUE_TEXT], count[VALUE_TEXT];

	if (!begin(&data->location, "shift out of bounds"))
		return;
	report_line("%s of type %s by %s of type %s", value_text(shifted, data->left, left),
		    data->left->name, value_text(count, data->right, right), data->right->name);
	report_end();
}
EXPORT_SYMBOL(__ubsan_handle_shift_out_of_bounds);

void __ubsan_handle_divrem_overflow(const struct type_data *data, value_t left, value_t right);
void __ubsan_handle_divrem_overflow(const struct type_data *data, value_t left, value_t right)
{
	char dividend[VALUE_TEXT], divisor[VALUE_TEXT];

	if (!begin(&data->location, "division by zero or with overflow"))
		return;
	report_line("%s by %s, of type %s", value_text(dividend, data->type, left),
		    value_text(divisor, data->type, right), data->type->name);
	report_end();
}
EXPORT_SYMBOL(__ubsan_handle_divrem_overflow);

void __ubsan_handle_type_mismatch_v1(const struct type_mismatch_data *data, unsigned long pointer);
void __ubsan_handle_type_mismatch_v1(const struct type_mismatch_data *data, unsigned long pointer)
{
	unsigned long alignment = BIT(data->log_alignment);
	const char *what = data->check < ARRAY_SIZE(check_names) ? check_names[data->check] : "use of";

	if (!begin(&data->location, !pointer			? "null pointer"
				    : pointer & (alignment - 1) ? "misaligned pointer"
								: "object too small"))
		return;
	report_line("%s %#lx of type %s, which is aligned to %lu", what, pointer, data->type->name,
		    alignment);
	report_end();
}
EXPORT_SYMBOL(__ubsan_handle_type_mismatch_v1);

void __ubsan_handle_load_invalid_value(const struct type_data *data, value_t value);
void __ubsan_handle_load_invalid_value(const struct type_data *data, value_t value)
{
	char text[VALUE_TEXT];

	if (!begin(&data->location, "invalid value"))
		return;
	report_line("%s is no value of type %s", value_text(text, data->type, value), data->type->name);
	report_end();
}
EXPORT_SYMBOL(__ubsan_handle_load_invalid_value);

void __ubsan_handle_vla_bound_not_positive(const struct type_data *data, value_t bound);
void __ubsan_handle_vla_bound_not_positive(const struct type_data *data, value_t bound)
{
	report_text(&data->location, "an array's length is not positive");
}
EXPORT_SYMBOL(__ubsan_handle_vla_bound_not_positive);

void __ubsan_handle_nonnull_arg(const struct location_data *data);
void __ubsan_handle_nonnull_arg(const struct location_data *data)
{
	report_text(&data->location, "null pointer for an argument that must not be null");
}
EXPORT_SYMBOL(__ubsan_handle_nonnull_arg);

void __ubsan_handle_invalid_builtin(const struct builtin_data *data);
void __ubsan_handle_invalid_builtin(const struct builtin_data *data)
{
	report_text(&data->location, data->kind ? "leading zeros of 0" : "trailing zeros of 0");
}
EXPORT_SYMBOL(__ubsan_handle_invalid_builtin);

/* What follows cannot be run: there is nothing behind it. */
void __ubsan_handle_builtin_unreachable(const struct location_data *data) __noreturn;
void __ubsan_handle_builtin_unreachable(const struct location_data *data)
{
	report_text(&data->location, "code that cannot be reached was reached");
	panic("unreachable code at %s:%u", data->location.file, data->location.line);
}
EXPORT_SYMBOL(__ubsan_handle_builtin_unreachable);
#endif
