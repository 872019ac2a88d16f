// SPDX-License-Identifier: Apache-2.0
/*
 * drop_line_info OBJECT: takes the line numbers out of a compiled BPF object, in place.
 *
 * The kernel keeps them for each loaded program, 24 bytes an entry, and every VM has two programs of its own: that was more
 * than all of its maps. Nobody but a verifier's refusal reads them. What the verifier needs of .BTF.ext, the types of functions
 * and the relocations of CO-RE, stays.
 *
 * Format: https://docs.kernel.org/bpf/btf.html#btf-ext-section. Exit: 0 done, 1 not such an object.
 */
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/btf.h>

/* As libbpf's btf_internal.h has it; version 1. */
struct btf_ext_header {
	uint16_t magic;
	uint8_t version;
	uint8_t flags;
	uint32_t hdr_len;
	uint32_t func_info_off, func_info_len;
	uint32_t line_info_off, line_info_len;
};

static uint8_t *bytes;
static size_t size;

static void *at(uint64_t offset, uint64_t length)
{
	return offset <= size && length <= size - offset ? bytes + offset : NULL;
}

static void read_all(FILE *file)
{
	size_t room = 1u << 20;

	bytes = malloc(room);
	size = bytes ? fread(bytes, 1, room, file) : 0;
	if (size == room)
		size = 0; /* larger than any filter of ours: then it is none */
}

static struct btf_ext_header *find_header(void)
{
	const Elf64_Ehdr *elf = at(0, sizeof(*elf));
	const Elf64_Shdr *sections, *names;

	if (!elf || memcmp(elf->e_ident, ELFMAG, SELFMAG) || elf->e_machine != EM_BPF)
		return NULL;
	sections = at(elf->e_shoff, elf->e_shnum * sizeof(*sections));
	if (!sections || elf->e_shstrndx >= elf->e_shnum)
		return NULL;
	names = &sections[elf->e_shstrndx];
	for (unsigned int i = 0; i < elf->e_shnum; i++) {
		const char *name = at(names->sh_offset + sections[i].sh_name, sizeof(".BTF.ext"));

		if (name && !memcmp(name, ".BTF.ext", sizeof(".BTF.ext")))
			return at(sections[i].sh_offset, sizeof(struct btf_ext_header));
	}
	return NULL;
}

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "r+b") : NULL;
	struct btf_ext_header *header;

	if (!file) {
		perror(argc == 2 ? argv[1] : "usage: drop_line_info OBJECT");
		return 1;
	}
	read_all(file);
	header = find_header();
	if (!header || header->magic != BTF_MAGIC || header->version != 1) {
		fprintf(stderr, "%s: no BPF object with .BTF.ext of version 1\n", argv[1]);
		return 1;
	}
	header->line_info_len = 0;
	rewind(file);
	if (fwrite(bytes, 1, size, file) != size || fclose(file)) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
