/* The RAM tree as a component: in the kernel it is the core's, and its types are there from the start. */
#include <kumo/module.h>
#include <kumo/namespace.h>

module_init(ram_types_register);
