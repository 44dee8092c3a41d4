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
PREFIX ?= /usr/local
DESTDIR ?=
comma := ,
VARIANT := $(notdir $(firstword $(CC)))$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(COVER),-cover)$(if $(TAINT),-taint)
O := build/$(VARIANT)
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Werror -Wno-missing-field-initializers
override CPPFLAGS += -I. -D_GNU_SOURCE
override CFLAGS += -std=c11 $(WARNINGS) -fstack-protector-strong -fPIC -MMD -MP
override CFLAGS += $(if $(filter gcc,$(notdir $(CC))),-Wno-format-truncation)
ifneq ($(SAN),)
override CFLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
override LDFLAGS += -fsanitize=$(SAN)
else
override CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
ifneq ($(TAINT),)
override CPPFLAGS += -DTAINT
endif
ifneq ($(COVER),)
override CFLAGS += --coverage
override LDFLAGS += --coverage
endif
override LDFLAGS += -pie -Wl,-z,relro,-z,now

src = $(patsubst %.c,$(O)/%.o,$(wildcard $(1)))
APDU := $(call src,apdu/*.c)
CRYPTO := $(call src,crypto/*.c) $(O)/crypto/fp1024_x86_64.o
MIKEY := $(call src,mikey/*.c)
OTA := $(call src,ota/*.c)
CARD := $(call src,card/os/*.c card/applets/*.c)
CARD_IO := $(filter-out $(O)/card/io/main.o $(O)/card/io/cli_%.o,$(call src,card/io/*.c))
HOST_LIB := $(call src,host/lib/*.c)
HOST_CLI := $(call src,host/cli/*.c)
NET := $(call src,provisioning/*.c)
NET_CLI := $(call src,provisioning/cli/*.c)
SUPPORT := $(call src,tests/support/*.c)
PCSC_CFLAGS := -I/usr/include/PCSC

LIBS_CARD := -lsrtp2 -lssl -lcrypto
LIBS_IO := -lsqlite3 -ljansson -lsrtp2 -lssl -lcrypto
LIBS_NET := $(LIBS_IO) -lpq -lcsv -levent -levent_openssl -lp11 -lxml2
PQ_CFLAGS := -I/usr/include/postgresql
XML_CFLAGS := -I/usr/include/libxml2
LIBS_CLI := -lcurl -lssl -lxml2
LIBS_HOST := -lpcsclite -lsrtp2 -ljansson -lcrypto
LIBS_TEST := -lcheck -lsubunit -lm -lrt -lpthread

PROGRAMS := $(O)/prose-card $(O)/prose-ue $(O)/prose-net
LIBRARIES := $(O)/libprose-card.a $(O)/libprose-ue.so $(O)/libprose-ue.a

.PHONY: check-taint mutants campaign man fuzz-keep check-long check-valgrind cover all check check-unit demo bench deps lint format fuzz requirements install clean help
all: $(LIBRARIES) $(PROGRAMS) ## libraries and the three programs

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC    $<")
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(if $(filter host/%,$<),$(PCSC_CFLAGS)) $(if $(filter %postgres.c,$<),$(PQ_CFLAGS)) $(if $(filter %_xml.c,$<),$(XML_CFLAGS)) -c -o $@ $<

$(O)/%.o: %.S
	@mkdir -p $(@D)
	$(if $(Q),@echo "  AS    $<")
	$(Q)$(CC) -fPIC -c -o $@ $<

define archive
	@mkdir -p $(@D)
	$(if $(Q),@echo "  AR    $@")
	$(Q)rm -f $@ && ar rcs $@ $^
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
$(O)/libmikey.a: $(MIKEY)
	$(archive)
$(O)/libota.a: $(OTA)
	$(archive)
SHARED := $(O)/libmikey.a $(O)/libota.a $(O)/libcrypto-prose.a $(O)/libapdu.a
# What the phone links: no card-secret objects (tests/check-layers lists them too).
PHONE_CRYPTO := $(filter-out %/sakke.o %/sakke_ring.o %/pages.o %/sakke_set1.o %/fp1024.o %/fp1024_kernel.o %/fp1024_x86_64.o %/inverse.o %/curve1024.o %/pairing1024.o %/eccsi.o %/seal.o %/discovery.o %/aka.o %/suci.o %/tls.o %/tls_key.o %/ecdsa.o %/gba.o %/enrol.o %/http_digest.o %/diversify.o,$(CRYPTO))
PHONE := $(HOST_LIB) $(filter-out %/psk.o %/sakke_message.o %/identity.o %/prf.o %_xml.o,$(MIKEY)) $(OTA) $(PHONE_CRYPTO) $(APDU)
$(O)/libprose-card.a: $(CARD) $(MIKEY) $(OTA) $(CRYPTO) $(APDU)
	$(archive)
$(O)/libcard-io.a: $(CARD_IO)
	$(archive)
$(O)/libprose-ue.a: $(PHONE)
	$(archive)
$(O)/libprose-ue.so: $(PHONE)
	$(if $(Q),@echo "  LD    $@")
	$(Q)$(CC) $(CFLAGS) $(filter-out -pie,$(LDFLAGS)) -shared -Wl,-soname,libprose-ue.so.0 -Wl,--version-script=host/lib/exports.map -o $@ $^ $(LIBS_HOST)
$(O)/prose-card: $(call src,card/io/main.c card/io/cli_*.c) $(O)/libcard-io.a $(O)/libprose-card.a
	$(link) $(LIBS_IO)
$(O)/prose-ue: $(HOST_CLI) $(O)/mikey/kms_xml.o $(O)/mikey/signature_xml.o $(O)/crypto/http_digest.o $(O)/crypto/enrol.o $(O)/crypto/tls.o $(O)/crypto/tls_key.o $(O)/libprose-ue.a
	$(link) $(LIBS_CLI) $(LIBS_HOST)
$(O)/prose-net: $(NET_CLI) $(NET) $(SHARED)
	$(link) $(LIBS_NET)

$(O)/card/io/profile.o: card/profiles/standard.json
$(O)/mikey/kms_xml.o: mikey/kms.rng

-include $(shell find $(O) -name '*.d' 2>/dev/null)
-include tests/tests.mk

deps: ## install what is missing (asks on a terminal; YES=1 answers)
	@packaging/install-deps all

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
	printf 'prefix=%s\nName: prose-ue\nDescription: phone side of a ProSe UICC\nVersion: 0.1\nLibs: -L$${prefix}/lib -lprose-ue\nCflags: -I$${prefix}/include\n' $(PREFIX) >$(DESTDIR)$(PREFIX)/lib/pkgconfig/prose-ue.pc
