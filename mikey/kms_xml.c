#include "mikey/kms_xml.h"

#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <libxml/xmlwriter.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "apdu/hex.h"

#define NAMESPACE "urn:3gpp:ns:mcsecKMSInterface:1.0"
#define NAMESPACE_OURS "urn:prose-uicc:kms:1.0"
#define YEAR_9999 INT64_C(253402300799)
enum { HEX_MAX = 2 * 257 + 1, BASE64_MAX = (KMS_OBJECTS_MAX / 3 + 1) * 4 };

/* By enum kms_message: path, and the element that holds the answer. */
static const struct kind {
	const char *path, *element;
} kinds[] = {
	[KMS_INIT] = { "init", "KmsInit" },
	[KMS_KEY_PROVISION] = { "keyprov", "KmsKeyProv" },
	[KMS_CERTIFICATES] = { "certcache", "KmsCertCache" },
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
	xmlBufferPtr memory;
	xmlTextWriterPtr writer;
};

static bool document_open(struct document *d, const char *root)
{
	d->memory = xmlBufferCreate();
	d->writer = d->memory != NULL ? xmlNewTextWriterMemory(d->memory, 0) : NULL;
	return d->writer != NULL && xmlTextWriterStartDocument(d->writer, NULL, "UTF-8", NULL) >= 0 &&
	       xmlTextWriterStartElementNS(d->writer, NULL, x(root), x(NAMESPACE)) >= 0 &&
	       xmlTextWriterWriteAttribute(d->writer, x("Version"), x("1.0.0")) >= 0;
}

static enum status document_close(struct document *d, bool ok, struct buf *out)
{
	ok = ok && xmlTextWriterEndDocument(d->writer) >= 0 && xmlTextWriterFlush(d->writer) >= 0;
	if (ok)
		buf_put(out, (struct bytes){ xmlBufferContent(d->memory), (size_t)xmlBufferLength(d->memory) });
	if (d->writer != NULL)
		xmlFreeTextWriter(d->writer);
	if (d->memory != NULL)
		xmlBufferFree(d->memory);
	return ok ? buf_status(out) : ERR_NO_SPACE;
}

enum status kms_request_put(const struct kms_request *r, struct buf *out)
{
	struct document d;
	bool ok = document_open(&d, "KmsRequest");

	if (ok) {
		put_element(d.writer, "UserUri", r->user_uri);
		put_element(d.writer, "KmsUri", r->kms_uri);
		put_time(d.writer, "Time", r->time);
		put_optional(d.writer, "ClientReqUrl", r->client_url);
	}
	return document_close(&d, ok, out);
}

static void put_certificate(xmlTextWriterPtr w, const struct kms_certificate_info *c)
{
	(void)xmlTextWriterStartElement(w, x("KmsCertificate"));
	(void)xmlTextWriterWriteAttribute(w, x("Version"), x("1.1.0"));
	(void)xmlTextWriterWriteAttribute(w, x("Role"), x("Root"));
	put_element(w, "KmsUri", c->kms_uri);
	put_element(w, "UserIdFormat", "2");
	put_number(w, "UserKeyPeriod", c->period);
	put_number(w, "UserKeyOffset", c->offset);
	put_hex(w, "PubEncKey", c->pub_enc_key);
	put_hex(w, "PubAuthKey", c->pub_auth_key);
	put_element(w, "ParameterSet", "1");
	(void)xmlTextWriterEndElement(w);
}

static void put_objects(xmlTextWriterPtr w, struct bytes objects)
{
	static uint8_t text[BASE64_MAX + 1];
	struct buf b = { text, 0, sizeof text - 1, false };

	if (objects.n == 0)
		return;
	base64_encode(objects, &b);
	text[b.len] = 0;
	(void)xmlTextWriterWriteElementNS(w, x("prose"), x("SealedObject"), x(NAMESPACE_OURS), text);
}

enum status kms_response_put(const struct kms_response *r, struct buf *out)
{
	struct document d;
	bool ok = document_open(&d, "KmsResponse");

	if (!ok)
		return document_close(&d, ok, out);
	put_element(d.writer, "UserUri", r->user_uri);
	put_element(d.writer, "KmsUri", r->kms_uri);
	put_time(d.writer, "Time", r->time);
	put_optional(d.writer, "ClientReqUrl", r->client_url);
	if (r->error[0] != 0) {
		(void)xmlTextWriterStartElement(d.writer, x("KmsError"));
		put_element(d.writer, "ErrorMsg", r->error);
		(void)xmlTextWriterEndElement(d.writer);
		return document_close(&d, true, out);
	}
	(void)xmlTextWriterStartElement(d.writer, x("KmsMessage"));
	(void)xmlTextWriterStartElement(d.writer, x(kinds[r->kind].element));
	if (r->kind == KMS_KEY_PROVISION) {
		(void)xmlTextWriterStartElement(d.writer, x("KmsKeySet"));
		put_element(d.writer, "KmsUri", r->kms_uri);
		put_element(d.writer, "UserUri", r->user_uri);
		put_hex(d.writer, "UserID", r->user_id);
		put_number(d.writer, "KeyPeriodNo", r->period_number);
		put_objects(d.writer, r->objects);
		(void)xmlTextWriterEndElement(d.writer);
	} else {
		put_certificate(d.writer, &r->certificate);
		put_objects(d.writer, r->objects);
	}
	(void)xmlTextWriterEndElement(d.writer);
	(void)xmlTextWriterEndElement(d.writer);
	return document_close(&d, true, out);
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static bool is(const xmlNode *n, const char *ns, const char *name)
{
	return n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, name) == 0 && n->ns != NULL &&
	       strcmp((const char *)n->ns->href, ns) == 0;
}

/* The only child of this name; NULL: none, or several. */
static xmlNode *child(const xmlNode *parent, const char *ns, const char *name)
{
	xmlNode *found = NULL;

	for (xmlNode *n = parent->children; n != NULL; n = n->next)
		if (is(n, ns, name)) {
			if (found != NULL)
				return NULL;
			found = n;
		}
	return found;
}

/* The text of an element without elements in it. */
static bool text_of(const xmlNode *n, char *out, size_t room)
{
	const xmlNode *t = n != NULL ? n->children : NULL;
	size_t len = t != NULL && t->type == XML_TEXT_NODE && t->next == NULL ? strlen((const char *)t->content) : 0;

	if (len == 0 || len >= room)
		return false;
	memcpy(out, t->content, len + 1);
	return true;
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
        "kms_schema: .incbin \"mikey/kms.rng\"\n"
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
static xmlDocPtr document_read(struct bytes xml, const char *root, xmlNode **node)
{
	xmlDocPtr d = NULL;

	xmlSetGenericErrorFunc(NULL, quiet);
	if (xml.n > 0 && xml.n <= KMS_XML_MAX)
		d = xmlReadMemory(
		        (const char *)xml.p, (int)xml.n, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	*node = d != NULL ? xmlDocGetRootElement(d) : NULL;
	if (*node != NULL && d->intSubset == NULL && d->extSubset == NULL && is(*node, NAMESPACE, root) && fits_schema(d))
		return d;
	xmlFreeDoc(d);
	return NULL;
}

enum status kms_request_parse(struct bytes xml, struct kms_request *out)
{
	xmlNode *root;
	xmlDocPtr d = document_read(xml, "KmsRequest", &root);
	bool ok = d != NULL;

	*out = (struct kms_request){ .time = 0 };
	ok = ok && take_text(root, "UserUri", out->user_uri, sizeof out->user_uri) &&
	     take_text(root, "KmsUri", out->kms_uri, sizeof out->kms_uri) && take_time(root, "Time", &out->time);
	if (ok && child(root, NAMESPACE, "ClientReqUrl") != NULL)
		ok = take_text(root, "ClientReqUrl", out->client_url, sizeof out->client_url);
	xmlFreeDoc(d);
	return ok ? OK : ERR_MALFORMED;
}

static bool take_objects(const xmlNode *n, struct buf *objects)
{
	static char text[BASE64_MAX + 1];

	for (; n != NULL; n = n->next) {
		if (is(n, NAMESPACE_OURS, "SealedObject") &&
		        (!text_of(n, text, sizeof text) || base64_decode(bytes_str(text), objects) != OK))
			return false;
		if (n->type == XML_ELEMENT_NODE && is(n, NAMESPACE, "KmsKeySet") && !take_objects(n->children, objects))
			return false;
	}
	return !objects->failed;
}

enum status kms_response_parse(struct bytes xml, struct kms_response *out, struct buf *objects)
{
	xmlNode *root, *error, *message, *body = NULL;
	xmlDocPtr d = document_read(xml, "KmsResponse", &root);
	bool ok = d != NULL;

	*out = (struct kms_response){ .time = 0 };
	ok = ok && take_text(root, "UserUri", out->user_uri, sizeof out->user_uri) &&
	     take_text(root, "KmsUri", out->kms_uri, sizeof out->kms_uri) && take_time(root, "Time", &out->time);
	error = ok ? child(root, NAMESPACE, "KmsError") : NULL;
	if (error != NULL && !take_text(error, "ErrorMsg", out->error, sizeof out->error))
		(void)snprintf(out->error, sizeof out->error, "the KMS refuses, without a reason");
	message = ok && error == NULL ? child(root, NAMESPACE, "KmsMessage") : NULL;
	for (unsigned i = 0; message != NULL && body == NULL && i < KINDS; i++)
		if ((body = child(message, NAMESPACE, kinds[i].element)) != NULL)
			out->kind = (enum kms_message)i;
	ok = ok && (error != NULL || (body != NULL && take_objects(body->children, objects)));
	xmlFreeDoc(d);
	return ok ? OK : ERR_MALFORMED;
}
