# SPDX-License-Identifier: Apache-2.0
# One Makefile, out of tree in build/<variant>/. `make help` lists the targets.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
SAN ?=
COVER ?=
TAINT ?=
FRAMES ?=
PREFIX ?= /usr/local
VERSION := $(shell cat VERSION)
DESTDIR ?=
comma := ,
VARIANT := $(notdir $(firstword $(CC)))$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(COVER),-cover)$(if $(TAINT),-taint)$(if $(FRAMES),-frames)
O := build/$(VARIANT)
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Werror -Wno-missing-field-initializers
override CPPFLAGS += -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
override CFLAGS += -std=c11 $(WARNINGS) -fstack-protector-strong -fPIC -MMD -MP
ifneq ($(SAN),)
override CFLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
override LDFLAGS += -fsanitize=$(SAN)
else
override CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
# Sanitizers and coverage ask the kernel for more than a sandbox gives.
override CPPFLAGS += -DPROSE_SANDBOX=$(if $(SAN)$(COVER)$(TAINT),0,1)
ifneq ($(TAINT),)
override CPPFLAGS += -DTAINT
endif
# Each function of ours, but the arithmetic, says when it returns, and has a frame: tests/support/frames.c looks into that.
ifneq ($(FRAMES),)
override CPPFLAGS += -DFRAMES
override CFLAGS += -finstrument-functions -finstrument-functions-exclude-file-list=tests/,/usr/,1024 -fno-inline -fno-omit-frame-pointer -fno-partial-inlining -fno-optimize-sibling-calls
override LDFLAGS += -rdynamic
endif
ifneq ($(COVER),)
override CFLAGS += --coverage -Wno-error # without optimising gcc warns of other things
override LDFLAGS += --coverage
endif
override LDFLAGS += -pie -Wl,-z,relro,-z,now

# The objects of folders and of all below them; of a library or program, as tests/layers says.
src = $(patsubst %.c,$(O)/%.o,$(sort $(shell find $(1) -name '*.c')))
made = $(addsuffix .o,$(addprefix $(O)/,$(basename $(shell tests/check-layers --made $(1)))))
APDU := $(call src,apdu)
CRYPTO := $(call src,crypto) $(O)/crypto/guarded/fp1024_x86_64.o
PROTOCOLS := $(call src,protocols)
OTA := $(call src,ota)
CARD := $(call src,card/os card/applets)
CARD_IO := $(call made,libcard-io)
CARD_CLI := $(call made,prose-card)
HOST_LIB := $(call src,host/lib)
NET_CLI := $(call src,provisioning/cli)
NET := $(filter-out $(NET_CLI),$(call src,provisioning))
SANDBOX := $(call src,sandbox)
SUPPORT := $(call src,tests/support)
PCSC_CFLAGS := -I/usr/include/PCSC

LIBS_CARD := -lsrtp2 -lssl -lcrypto
LIBS_IO := -lsqlite3 -ljansson -lsrtp2 -lssl -lcrypto
LIBS_NET := $(LIBS_IO) -lseccomp -lpq -lcsv -levent -levent_openssl -lp11 -lxml2
PQ_CFLAGS := -I/usr/include/postgresql
XML_CFLAGS := -I/usr/include/libxml2
LIBS_CLI := -lcurl -lssl -lxml2
LIBS_HOST := -lpcsclite -lsrtp2 -ljansson -lcrypto
LIBS_TEST := -lcheck -lsubunit -lm -lrt -lpthread

PROGRAMS := $(O)/prose-card $(O)/prose-ue $(O)/prose-net
LIBRARIES := $(O)/libprose-card.a $(O)/libprose-ue.so $(O)/libprose-ue.a

.PHONY: check-all check-cross check-short check-taint mutants campaign man fuzz-keep check-long check-valgrind cover all check check-unit demo bench deps lint format fuzz requirements install clean help
all: $(LIBRARIES) $(PROGRAMS) ## libraries and the three programs

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC    $<")
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(if $(filter host/% tests/host/%,$<),$(PCSC_CFLAGS)) $(if $(filter %postgres.c,$<),$(PQ_CFLAGS)) $(if $(filter %_xml.c,$<),$(XML_CFLAGS)) -c -o $@ $<

$(O)/%.o: %.S
	@mkdir -p $(@D)
	$(if $(Q),@echo "  AS    $<")
	$(Q)$(CC) -fPIC -c -o $@ $<

define archive
	@mkdir -p $(@D)
	$(if $(Q),@echo "  AR    $@")
	$(Q)rm -f $@ && $$($(CC) -print-prog-name=ar) rcs $@ $^
endef
define link
	$(if $(Q),@echo "  LD    $@")
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^)
endef

# Each layer is an archive; a program links only the archives below it, so that a wrong arrow fails here too.
$(O)/libapdu.a: $(APDU)
	$(archive)
$(O)/libcrypto-prose.a: $(CRYPTO)
	$(archive)
$(O)/libprotocols.a: $(PROTOCOLS)
	$(archive)
$(O)/libota.a: $(OTA)
	$(archive)
SHARED := $(O)/libprotocols.a $(O)/libota.a $(O)/libcrypto-prose.a $(O)/libapdu.a
PHONE := $(call made,libprose-ue)
$(O)/libprose-card.a: $(call made,libprose-card)
	$(archive)
$(O)/libcard-io.a: $(CARD_IO)
	$(archive)
$(O)/libprose-ue.a: $(PHONE)
	$(archive)
$(O)/libprose-ue.so: $(PHONE)
	$(if $(Q),@echo "  LD    $@")
	$(Q)$(CC) $(CFLAGS) $(filter-out -pie,$(LDFLAGS)) -shared -Wl,-soname,libprose-ue.so.0 -Wl,--version-script=host/lib/exports.map -o $@ $^ $(LIBS_HOST)
$(O)/prose-card: $(CARD_CLI) $(O)/libcard-io.a $(O)/libprose-card.a
	$(link) $(LIBS_IO) -lseccomp
$(O)/prose-ue: $(call made,prose-ue) $(O)/libprose-ue.a
	$(link) $(LIBS_CLI) $(LIBS_HOST)
$(O)/prose-net: $(NET_CLI) $(NET) $(SANDBOX) $(SHARED)
	$(link) $(LIBS_NET)

$(O)/card/io/cli/main.o $(O)/host/cli/main.o $(O)/provisioning/cli/main.o: override CPPFLAGS += -DPROSE_VERSION='"$(VERSION)"'
$(O)/card/io/cli/main.o $(O)/host/cli/main.o $(O)/provisioning/cli/main.o: VERSION
$(O)/card/io/birth/profile.o: card/profiles/standard.json
$(O)/protocols/pc3/kms_xml.o: protocols/pc3/kms.rng

-include $(shell find $(O) -name '*.d' 2>/dev/null)
-include tests/tests.mk

deps: ## install what is missing (asks on a terminal; YES=1 answers)
	@packaging/install-deps unit check all lint fuzz

clean: ## remove build/
	rm -rf build

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 18 | sort

man: all ## man pages and bash completion, from what the programs say of themselves
	@packaging/make-man $(O) $(O)/man

install: man ## programs, library, header, man pages, completion and pkg-config file under DESTDIR and PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(O)/libprose-ue.so $(DESTDIR)$(PREFIX)/lib/libprose-ue.so.0
	ln -sf libprose-ue.so.0 $(DESTDIR)$(PREFIX)/lib/libprose-ue.so
	install -m 644 $(O)/libprose-card.a $(DESTDIR)$(PREFIX)/lib
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -m 644 $(O)/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	for p in prose-card prose-ue prose-net; do install -m 644 $(O)/man/prose.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$p; done
	install -m 644 host/lib/prose-ue.h $(DESTDIR)$(PREFIX)/include
	printf 'prefix=%s\nName: prose-ue\nDescription: phone side of a ProSe UICC\nVersion: $(VERSION)\nLibs: -L$${prefix}/lib -lprose-ue\nCflags: -I$${prefix}/include\n' $(PREFIX) >$(DESTDIR)$(PREFIX)/lib/pkgconfig/prose-ue.pc
