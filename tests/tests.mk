# tests.mk - what the tests build and how they run; included by the Makefile.
E2E := $(O)/leakcheck $(O)/leakcheck-hold.so $(O)/pcap-lo
$(O)/leakcheck: $(O)/tests/e2e/leakcheck.o $(O)/libapdu.a
	$(link) -ljansson -lcrypto
$(O)/leakcheck-hold.so: $(O)/tests/e2e/hold.o
	$(Q)$(CC) $(CFLAGS) $(filter-out -pie,$(LDFLAGS)) -shared -o $@ $^
$(O)/pcap-lo: $(O)/tests/e2e/pcap-lo.o
	$(link)

demo: ## the whole story on real parts
	@packaging/install-deps demo
	+@$(MAKE) --no-print-directory all $(O)/leakcheck $(O)/leakcheck-hold.so $(O)/pcap-lo
	@tests/e2e/demo $(O)
