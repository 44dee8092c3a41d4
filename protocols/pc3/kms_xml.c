/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/pc3/kms_xml.h"

#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <libxml/xmlwriter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apdu/base/hex.h"

#define NAMESPACE "urn:3gpp:ns:mcsecKMSInterface:1.0"
#define NAMESPACE_XENC "http://www.w3.org/2001/04/xmlenc#"
#define SEALED_ALGORITHM "urn:prose-uicc:sealed:1"
#define RESPONSE_ID "response"
#define KEY_NAME "ink." /* and the number of TrK, a dot, the user */
#define YEAR_9999 INT64_C(253402300799)
enum { HEX_MAX = 2 * 257 + 1, BASE64_MAX = (KMS_OBJECTS_MAX / 3 + 1) * 4 };

/* By enum kms_message: path, and the element that holds the answer. */
static const struct kind {
	const char *path, *element;
} kinds[] = {
	[KMS_INIT] = { "init", "KmsInit" },
	[KMS_KEY_PROVISION] = { "keyprov", "KmsKeyProv" },
	[KMS_CERTIFICATES] = { "certcache", "KmsCertCache" },
	[KMS_INSTALLED] = { "installed", NULL },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

enum status kms_message_of(const char *path, enum kms_message *out)
{
	size_t n = sizeof KMS_PATH - 1;

	for (unsigned i = 0; strncmp(path, KMS_PATH, n) == 0 && i < KINDS; i++)
		if (strcmp(path + n, kinds[i].path) == 0) {
			*out = (enum kms_message)i;
			return OK;
		}
	return ERR_NOT_FOUND;
}

const char *kms_message_path(enum kms_message m)
{
	return kinds[m].path;
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

static const xmlChar *x(const char *text)
{
	return (const xmlChar *)text;
}

static void put_element(xmlTextWriterPtr w, const char *name, const char *value)
{
	(void)xmlTextWriterWriteElement(w, x(name), x(value));
}

/* An empty element would be refused. */
static void put_optional(xmlTextWriterPtr w, const char *name, const char *value)
{
	if (value[0] != 0)
		put_element(w, name, value);
}

_Static_assert(sizeof(time_t) == 8, "times end in 2038: build with -D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64");

static void put_time(xmlTextWriterPtr w, const char *name, uint64_t at)
{
	time_t t = (time_t)at;
	char text[32];
	struct tm tm;

	(void)gmtime_r(&t, &tm);
	(void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	put_element(w, name, text);
}

static void put_number(xmlTextWriterPtr w, const char *name, uint64_t v)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%llu", (unsigned long long)v);
	put_element(w, name, text);
}

static void put_hex(xmlTextWriterPtr w, const char *name, struct bytes v)
{
	char text[HEX_MAX];

	if (v.n <= (HEX_MAX - 1) / 2)
		put_element(w, name, hex_encode(v, text));
}

struct document {
	xmlDocPtr tree;
	xmlTextWriterPtr writer;
};

static bool document_open(struct document *d, const char *root)
{
	d->tree = NULL;
	d->writer = xmlNewTextWriterDoc(&d->tree, 0);
	return d->writer != NULL && xmlTextWriterStartDocument(d->writer, NULL, "UTF-8", NULL) >= 0 &&
	       xmlTextWriterStartElementNS(d->writer, NULL, x(root), x(NAMESPACE)) >= 0;
}

static void put_attribute(xmlTextWriterPtr w, const char *name, const char *value)
{
	(void)xmlTextWriterWriteAttribute(w, x(name), x(value));
}

/* Sign what is inside the root. */
static enum status sign(const struct document *d, const struct kms_response *r, const struct kms_integrity_key *k)
{
	char name[SIGNATURE_KEY_NAME_MAX];
	xmlNode *root = xmlDocGetRootElement(d->tree);

	(void)snprintf(name, sizeof name, KEY_NAME "%u.%s", k->trk_id, r->user_uri);
	return root != NULL && root->children != NULL ? xml_sign(root, root->children, RESPONSE_ID, name, k->key)
	                                              : ERR_NO_SPACE;
}

static enum status document_close(
        struct document *d, bool ok, const struct kms_response *r, const struct kms_integrity_key *k, struct buf *out)
{
	enum status st;
	xmlChar *text = NULL;
	int n = 0;

	ok = ok && xmlTextWriterEndDocument(d->writer) >= 0 && xmlTextWriterFlush(d->writer) >= 0;
	if (d->writer != NULL)
		xmlFreeTextWriter(d->writer);
	st = !ok || d->tree == NULL ? ERR_NO_SPACE : k != NULL ? sign(d, r, k) : OK;
	if (st == OK)
		xmlDocDumpMemoryEnc(d->tree, &text, &n, "UTF-8");
	if (text != NULL)
		buf_put(out, (struct bytes){ text, (size_t)n });
	xmlFree(text);
	xmlFreeDoc(d->tree);
	return st != OK ? st : text != NULL ? buf_status(out) : ERR_NO_SPACE;
}

enum status kms_request_put(const struct kms_request *r, struct buf *out)
{
	struct document d;
	bool ok = document_open(&d, "KmsRequest");

	if (ok) {
		put_attribute(d.writer, "Version", "1.0.0");
		put_element(d.writer, "UserUri", r->user_uri);
		put_element(d.writer, "KmsUri", r->kms_uri);
		put_time(d.writer, "Time", r->time);
		put_optional(d.writer, "ClientReqUrl", r->client_url);
		if (r->installed != 0)
			put_number(d.writer, "KeyPeriodNo", r->installed);
	}
	return document_close(&d, ok, NULL, NULL, out);
}

static void put_validity(xmlTextWriterPtr w, const struct kms_validity *v)
{
	put_optional(w, "Issuer", v->issuer);
	if (v->from != 0)
		put_time(w, "ValidFrom", v->from);
	if (v->to != 0)
		put_time(w, "ValidTo", v->to);
	if (v->revoked)
		put_element(w, "Revoked", "true");
}

/* What stands inside a KmsCertificate. */
static void put_certificate(xmlTextWriterPtr w, const struct kms_certificate_info *c)
{
	put_attribute(w, "Version", "1.1.0");
	put_attribute(w, "Role", c->domain[0] != 0 ? "External" : "Root");
	put_element(w, "KmsUri", c->kms_uri);
	put_validity(w, &c->validity);
	put_element(w, "UserIdFormat", "2");
	put_number(w, "UserKeyPeriod", c->period);
	put_number(w, "UserKeyOffset", c->offset);
	put_hex(w, "PubEncKey", BYTES_OF(c->pub_enc_key));
	put_hex(w, "PubAuthKey", BYTES_OF(c->pub_auth_key));
	put_element(w, "ParameterSet", "1");
	if (c->domain[0] != 0) {
		(void)xmlTextWriterStartElement(w, x("KmsDomainList"));
		put_element(w, "KmsDomain", c->domain);
		(void)xmlTextWriterEndElement(w);
	}
}

enum status kms_certificate_put(const struct kms_certificate_info *c, struct buf *out)
{
	struct document d;
	bool ok = document_open(&d, "KmsCertificate");

	if (ok)
		put_certificate(d.writer, c);
	return document_close(&d, ok, NULL, NULL, out);
}

static void put_objects(xmlTextWriterPtr w, struct bytes objects)
{
	static uint8_t text[BASE64_MAX + 1];
	struct buf b = { text, 0, sizeof text - 1, false };

	if (objects.n == 0)
		return;
	base64_encode(objects, &b);
	text[b.len] = 0;
	(void)xmlTextWriterStartElementNS(w, NULL, x("EncryptedKey"), x(NAMESPACE_XENC));
	(void)xmlTextWriterStartElement(w, x("EncryptionMethod"));
	put_attribute(w, "Algorithm", SEALED_ALGORITHM);
	(void)xmlTextWriterEndElement(w);
	(void)xmlTextWriterStartElement(w, x("CipherData"));
	put_element(w, "CipherValue", (const char *)text);
	(void)xmlTextWriterEndElement(w);
	(void)xmlTextWriterEndElement(w);
}

static void put_message(xmlTextWriterPtr w, const struct kms_response *r)
{
	(void)xmlTextWriterStartElement(w, x(kinds[r->kind].element));
	if (r->transport_keys.n > 0) {
		(void)xmlTextWriterStartElement(w, x("NewTransportKey"));
		put_objects(w, r->transport_keys);
		(void)xmlTextWriterEndElement(w);
	}
	if (r->kind == KMS_KEY_PROVISION) {
		(void)xmlTextWriterStartElement(w, x("KmsKeySet"));
		put_element(w, "KmsUri", r->kms_uri);
		put_element(w, "UserUri", r->user_uri);
		put_hex(w, "UserID", r->user_id);
		put_number(w, "KeyPeriodNo", r->period_number);
		put_objects(w, r->objects);
		(void)xmlTextWriterEndElement(w);
	} else {
		for (size_t i = 0; i < r->certificates; i++) {
			(void)xmlTextWriterStartElement(w, x("KmsCertificate"));
			put_certificate(w, &r->certificate[i]);
			(void)xmlTextWriterEndElement(w);
		}
		put_objects(w, r->objects);
	}
	(void)xmlTextWriterEndElement(w);
}

static void put_response(xmlTextWriterPtr w, const struct kms_response *r)
{
	put_attribute(w, "Version", "1.0.0");
	put_attribute(w, "Id", RESPONSE_ID);
	put_element(w, "UserUri", r->user_uri);
	put_element(w, "KmsUri", r->kms_uri);
	put_time(w, "Time", r->time);
	put_optional(w, "ClientReqUrl", r->client_url);
	(void)xmlTextWriterStartElement(w, x(r->error[0] != 0 ? "KmsError" : "KmsMessage"));
	if (r->error[0] != 0)
		put_element(w, "ErrorMsg", r->error);
	else
		put_message(w, r);
	(void)xmlTextWriterEndElement(w);
}

enum status kms_response_put(const struct kms_response *r, const struct kms_integrity_key *k, struct buf *out)
{
	struct document d;
	bool ok = document_open(&d, k != NULL ? "SignedKmsResponse" : "KmsResponse");

	if (ok && k != NULL)
		ok = xmlTextWriterStartElement(d.writer, x("KmsResponse")) >= 0;
	if (ok)
		put_response(d.writer, r);
	return document_close(&d, ok, r, k, out);
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

/* The only child of this name; NULL: none, or several. */
static xmlNode *child(const xmlNode *parent, const char *ns, const char *name)
{
	xmlNode *found = NULL;

	for (xmlNode *n = parent->children; n != NULL; n = n->next)
		if (xml_is(n, ns, name)) {
			if (found != NULL)
				return NULL;
			found = n;
		}
	return found;
}

/* A text that is there, and fits. */
static bool text_of(const xmlNode *n, char *out, size_t room)
{
	const char *text = n != NULL ? xml_text(n) : "";

	return *text != 0 && (size_t)snprintf(out, room, "%s", text) < room;
}

static bool take_text(const xmlNode *parent, const char *name, char *out, size_t room)
{
	return text_of(child(parent, NAMESPACE, name), out, room);
}

static bool take_time(const xmlNode *parent, const char *name, uint64_t *out)
{
	char text[40];
	struct tm tm = { 0 };
	const char *end;
	time_t at;

	if (!take_text(parent, name, text, sizeof text) || (end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm)) == NULL)
		return false;
	if ((at = timegm(&tm)) < 0 || at > YEAR_9999)
		return false;
	*out = (uint64_t)at;
	return end[strspn(end, ".0123456789")] == 'Z';
}

static void quiet(void *context, const char *format, ...)
{
	(void)context, (void)format;
}

/* The schema is compiled in. */
__asm__(".section .rodata\n"
        "kms_schema: .incbin \"protocols/pc3/kms.rng\"\n"
        ".byte 0\n"
        ".text\n");
extern const char kms_schema[];

static bool fits_schema(xmlDocPtr d)
{
	static xmlRelaxNGPtr schema;
	xmlRelaxNGParserCtxtPtr parser;
	xmlRelaxNGValidCtxtPtr v;
	bool ok;

	if (schema == NULL && (parser = xmlRelaxNGNewMemParserCtxt(kms_schema, (int)strlen(kms_schema))) != NULL) {
		schema = xmlRelaxNGParse(parser);
		xmlRelaxNGFreeParserCtxt(parser);
	}
	if (schema == NULL || (v = xmlRelaxNGNewValidCtxt(schema)) == NULL)
		return false;
	xmlRelaxNGSetValidErrors(v, NULL, NULL, NULL);
	ok = xmlRelaxNGValidateDoc(v, d) == 0;
	xmlRelaxNGFreeValidCtxt(v);
	return ok;
}

/* The root element of a document without a document type, as the schema has it. */
static xmlDocPtr document_read(struct bytes xml, xmlNode **root)
{
	xmlDocPtr d = NULL;

	xmlSetGenericErrorFunc(NULL, quiet);
	if (xml.n > 0 && xml.n <= KMS_XML_MAX)
		d = xmlReadMemory(
		        (const char *)xml.p, (int)xml.n, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	*root = d != NULL ? xmlDocGetRootElement(d) : NULL;
	if (*root != NULL && d->intSubset == NULL && d->extSubset == NULL && fits_schema(d))
		return d;
	xmlFreeDoc(d);
	return NULL;
}

static bool take_number(const xmlNode *parent, const char *name, uint64_t *out)
{
	char text[24], *end;

	if (!take_text(parent, name, text, sizeof text) || text[strspn(text, "0123456789")] != 0)
		return false;
	*out = strtoull(text, &end, 10);
	return *end == 0 && strlen(text) < 20;
}

static bool read_request(const xmlNode *root, struct kms_request *out)
{
	return xml_is(root, NAMESPACE, "KmsRequest") && take_text(root, "UserUri", out->user_uri, sizeof out->user_uri) &&
	       take_text(root, "KmsUri", out->kms_uri, sizeof out->kms_uri) && take_time(root, "Time", &out->time) &&
	       (child(root, NAMESPACE, "ClientReqUrl") == NULL ||
	               take_text(root, "ClientReqUrl", out->client_url, sizeof out->client_url)) &&
	       (child(root, NAMESPACE, "KeyPeriodNo") == NULL || take_number(root, "KeyPeriodNo", &out->installed));
}

enum status kms_request_parse(struct bytes xml, struct kms_request *out)
{
	xmlNode *root;
	xmlDocPtr d = document_read(xml, &root);
	bool ok;

	*out = (struct kms_request){ .time = 0 };
	ok = d != NULL && read_request(root, out);
	xmlFreeDoc(d);
	return ok ? OK : ERR_MALFORMED;
}

static bool take_hex(const xmlNode *parent, const char *name, uint8_t *out, size_t n)
{
	char text[HEX_MAX];
	struct buf b = { out, 0, n, false };

	return take_text(parent, name, text, sizeof text) && hex_decode(bytes_str(text), &b) == OK && b.len == n;
}

/* Optional, but of the right form. */
static bool read_validity(const xmlNode *n, struct kms_validity *out)
{
	char text[8] = "false";

	*out = (struct kms_validity){ .to = 0 };
	if ((child(n, NAMESPACE, "Issuer") != NULL && !take_text(n, "Issuer", out->issuer, sizeof out->issuer)) ||
	        (child(n, NAMESPACE, "ValidFrom") != NULL && !take_time(n, "ValidFrom", &out->from)) ||
	        (child(n, NAMESPACE, "ValidTo") != NULL && (!take_time(n, "ValidTo", &out->to) || out->to == 0)) ||
	        (child(n, NAMESPACE, "Revoked") != NULL && !take_text(n, "Revoked", text, sizeof text)))
		return false;
	out->revoked = strcmp(text, "false") != 0 && strcmp(text, "0") != 0;
	return true;
}

static enum kms_role role_of(const xmlNode *certificate)
{
	static const char *const roles[] = { [KMS_ROOT] = "Root", [KMS_EXTERNAL] = "External" };
	xmlChar *said = xmlGetNoNsProp(certificate, x("Role"));
	enum kms_role role = KMS_ROOT;

	while (role < KMS_NO_ROLE && (said == NULL || strcmp((const char *)said, roles[role]) != 0))
		role++;
	xmlFree(said);
	return role;
}

static bool read_certificate(const xmlNode *root, struct kms_certificate_info *out)
{
	const xmlNode *domains = child(root, NAMESPACE, "KmsDomainList");
	uint64_t format, set;

	out->role = role_of(root);
	return xml_is(root, NAMESPACE, "KmsCertificate") && read_validity(root, &out->validity) &&
	       take_text(root, "KmsUri", out->kms_uri, sizeof out->kms_uri) && take_number(root, "UserIdFormat", &format) &&
	       format == 2 && take_number(root, "ParameterSet", &set) && set == 1 &&
	       take_number(root, "UserKeyPeriod", &out->period) && take_number(root, "UserKeyOffset", &out->offset) &&
	       out->period > 0 && out->offset < out->period &&
	       take_hex(root, "PubEncKey", out->pub_enc_key, sizeof out->pub_enc_key) && out->pub_enc_key[0] == 4 &&
	       take_hex(root, "PubAuthKey", out->pub_auth_key, sizeof out->pub_auth_key) && out->pub_auth_key[0] == 4 &&
	       (domains == NULL || take_text(domains, "KmsDomain", out->domain, sizeof out->domain));
}

enum status kms_certificate_parse(struct bytes xml, struct kms_certificate_info *out)
{
	xmlNode *root;
	xmlDocPtr d = document_read(xml, &root);
	bool ok;

	*out = (struct kms_certificate_info){ .period = 0 };
	ok = d != NULL && read_certificate(root, out);
	xmlFreeDoc(d);
	return ok ? OK : ERR_MALFORMED;
}

static const char *validity_refused(const struct kms_validity *v, const char *issuer, uint64_t now)
{
	return v->revoked                   ? "says that it is revoked (Revoked): its KMS has a new one"
	       : now < v->from              ? "is not valid yet (ValidFrom): look at the clocks, or wait"
	       : v->to != 0 && v->to <= now ? "has expired (ValidTo): its KMS has a new one"
	       : v->issuer[0] != 0 && strcmp(v->issuer, issuer) != 0
	               ? "was issued by another (Issuer) than the KMS that it is from"
	               : NULL;
}

const char *kms_certificate_refused(const struct kms_certificate_info *c, enum kms_role role, const char *issuer, uint64_t now)
{
	if (c->role != role)
		return role == KMS_ROOT ? "is not a KMS's own (Role is not Root): its operator has that one"
		                        : "is not another KMS's (Role is not External)";
	return validity_refused(&c->validity, issuer, now);
}

const char *kms_response_refused(const struct kms_received *k, const struct kms_request *asked, uint64_t now)
{
	const struct kms_response *r = &k->response;
	const char *why = NULL;

	if (strcmp(r->user_uri, asked->user_uri) != 0 || strcmp(r->kms_uri, asked->kms_uri) != 0)
		return "answers another request (UserUri, KmsUri)";
	for (size_t i = 0; why == NULL && i < r->certificates; i++)
		why = kms_certificate_refused(&r->certificate[i],
		        strcmp(r->certificate[i].kms_uri, r->kms_uri) == 0 ? KMS_ROOT : KMS_EXTERNAL, r->kms_uri, now);
	for (size_t i = 0; why == NULL && i < k->sets; i++)
		why = strcmp(k->set[i].user_uri, asked->user_uri) != 0 || strcmp(k->set[i].kms_uri, asked->kms_uri) != 0
		              ? "has keys for another request (UserUri, KmsUri)"
		              : validity_refused(&k->set[i].validity, r->kms_uri, now);
	return why;
}

/* One EncryptedKey: sealed objects, or something of another algorithm that is not for us. */
static bool take_encrypted(const xmlNode *n, struct buf *out)
{
	static char text[BASE64_MAX + 1];
	const xmlNode *method = child(n, NAMESPACE_XENC, "EncryptionMethod"), *data = child(n, NAMESPACE_XENC, "CipherData");
	xmlChar *algorithm = method != NULL ? xmlGetNoNsProp(method, x("Algorithm")) : NULL;
	bool ours = algorithm != NULL && strcmp((const char *)algorithm, SEALED_ALGORITHM) == 0;

	xmlFree(algorithm);
	return !ours || (data != NULL && text_of(child(data, NAMESPACE_XENC, "CipherValue"), text, sizeof text) &&
	                        base64_decode(bytes_str(text), out) == OK && !out->failed);
}

/* All that are here, and in these elements here. */
static bool take_objects(const xmlNode *parent, const char *inside, struct buf *out)
{
	for (const xmlNode *n = parent->children; n != NULL; n = n->next)
		if ((xml_is(n, NAMESPACE_XENC, "EncryptedKey") && !take_encrypted(n, out)) ||
		        (inside != NULL && xml_is(n, NAMESPACE, inside) && !take_objects(n, NULL, out)))
			return false;
	return true;
}

/* Every certificate and key set, and nothing else that could be one. */
static bool read_judged(const xmlNode *body, struct kms_received *out)
{
	for (const xmlNode *n = body->children; n != NULL; n = n->next) {
		if (xml_is(n, NAMESPACE, "KmsCertificate") &&
		        (out->response.certificates == KMS_CERTIFICATES_MAX ||
		                !read_certificate(n, &out->response.certificate[out->response.certificates++])))
			return false;
		if (xml_is(n, NAMESPACE, "KmsKeySet")) {
			struct kms_key_set_info *set;

			if (out->sets == KMS_SETS_MAX)
				return false;
			set = &out->set[out->sets++];
			if (!take_text(n, "UserUri", set->user_uri, sizeof set->user_uri) ||
			        !take_text(n, "KmsUri", set->kms_uri, sizeof set->kms_uri) || !read_validity(n, &set->validity))
				return false;
		}
	}
	return true;
}

static bool read_message(const xmlNode *body, struct kms_received *out)
{
	const xmlNode *transport = child(body, NAMESPACE, "NewTransportKey"), *set = child(body, NAMESPACE, "KmsKeySet");
	struct buf t = BUF_OF(out->transport_keys), b = BUF_OF(out->objects);

	if (!read_judged(body, out) || (transport != NULL && !take_objects(transport, NULL, &t)) ||
	        !take_objects(body, "KmsKeySet", &b) ||
	        (set != NULL && !take_number(set, "KeyPeriodNo", &out->response.period_number)))
		return false;
	out->response.transport_keys = buf_bytes(&t);
	out->response.objects = buf_bytes(&b);
	return true;
}

static bool read_response(const xmlNode *root, struct kms_received *received)
{
	struct kms_response *out = &received->response;
	const xmlNode *error = child(root, NAMESPACE, "KmsError"), *message = child(root, NAMESPACE, "KmsMessage"),
	              *body = NULL;

	if (!take_text(root, "UserUri", out->user_uri, sizeof out->user_uri) ||
	        !take_text(root, "KmsUri", out->kms_uri, sizeof out->kms_uri) || !take_time(root, "Time", &out->time))
		return false;
	if (error != NULL && !take_text(error, "ErrorMsg", out->error, sizeof out->error))
		(void)snprintf(out->error, sizeof out->error, "the KMS refuses, without a reason");
	for (unsigned i = 0; message != NULL && body == NULL && i < KINDS; i++)
		if (kinds[i].element != NULL && (body = child(message, NAMESPACE, kinds[i].element)) != NULL)
			out->kind = (enum kms_message)i;
	return error != NULL || (body != NULL && read_message(body, received));
}

static enum status read_signature(const xmlNode *root, xmlNode *response, struct kms_received *out)
{
	const char *name = out->signature.key_name;
	unsigned long id;
	char *end;

	TRY(xml_signature_read(child(root, XML_DSIG, "Signature"), response, &out->signature));
	if (strncmp(name, KEY_NAME, sizeof KEY_NAME - 1) != 0 || name[sizeof KEY_NAME - 1] < '0' ||
	        name[sizeof KEY_NAME - 1] > '9')
		return ERR_MALFORMED;
	id = strtoul(name + sizeof KEY_NAME - 1, &end, 10);
	if (*end != '.' || id > UINT8_MAX)
		return ERR_MALFORMED;
	out->trk_id = (unsigned)id;
	out->is_signed = true;
	return OK;
}

enum status kms_response_parse(struct bytes xml, struct kms_received *out)
{
	xmlNode *root, *response = NULL;
	xmlDocPtr d = document_read(xml, &root);
	enum status st = OK;

	memset(out, 0, sizeof *out);
	if (d != NULL)
		response = xml_is(root, NAMESPACE, "SignedKmsResponse") ? child(root, NAMESPACE, "KmsResponse")
		           : xml_is(root, NAMESPACE, "KmsResponse")     ? root
		                                                        : NULL;
	if (response == NULL || !read_response(response, out))
		st = ERR_MALFORMED;
	else if (response != root)
		st = read_signature(root, response, out);
	xmlFreeDoc(d);
	return st;
}
