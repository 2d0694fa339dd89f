# For programs of the host: sources of others that they are made of. What squashfs is decompressed with comes from Debian's source
# packages, as for the kernel.
.DEFAULT_GOAL := all
# What of the core goes with every component.
environment_core := $(addprefix lib/,parse.c hash.c xarray.c) $(addprefix fs/,acl.c attributes.c permission.c xattr.c)
libraries := $(patsubst %,build/zlib/%.c,inflate inffast inftrees zutil adler32 crc32) $(patsubst %,build/zstd/lib/%.c,common/entropy_common \
	common/error_private common/fse_decompress common/xxhash common/zstd_common decompress/huf_decompress decompress/zstd_ddict \
	decompress/zstd_decompress decompress/zstd_decompress_block)
library_objects = $(patsubst %.c,$(out)/%.o,$(libraries))
library_flags := -O2 -g -w -DZ_SOLO -DHAVE_MEMCPY -DZSTD_DISABLE_ASM=1 -include string.h -Ibuild/zlib
library_user_flags := -DZ_SOLO -isystem build/zlib -isystem build/zstd/lib
$(libraries):
	@scripts/setup
