/* The certificate authority. See tls.h; certificates: RFC 5280. */
#include "tests/simulator/tls.h"

#include "tests/simulator/world.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define VALID_DAYS 3650
/* Behind the regions: what is named localhost, and global hosts. */
#define PLAIN_LEAF 64

struct swp_sim_tls {
	char *folder;
	EVP_PKEY *ca_key;
	EVP_PKEY *key;
	X509 *ca;
	X509 *leaves[PLAIN_LEAF + 1];
	SSL_CTX *context;
};

static FILE *open_in(const struct swp_sim_tls *tls, const char *name, const char *mode)
{
	struct swp_sim_buffer path = {0};
	swp_sim_buffer_printf(&path, "%s/%s", tls->folder, name);
	FILE *file = fopen(swp_sim_buffer_string(&path), mode);
	swp_sim_buffer_done(&path);
	return file;
}

static EVP_PKEY *key_from_file_or_new(const struct swp_sim_tls *tls, const char *name)
{
	FILE *file = open_in(tls, name, "re");
	EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
	if (file)
		fclose(file);
	if (key != NULL)
		return key;
	key = EVP_EC_gen("P-256");
	mode_t before = umask(077);
	file = key ? open_in(tls, name, "we") : NULL;
	umask(before);
	if (file == NULL || PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) != 1) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	if (file)
		fclose(file);
	return key;
}

static bool write_certificate(const struct swp_sim_tls *tls, const char *name, X509 *certificate)
{
	FILE *file = open_in(tls, name, "we");
	bool is_written = file != NULL && PEM_write_X509(file, certificate) == 1;
	if (file != NULL && fclose(file) != 0)
		is_written = false;
	return is_written;
}

static bool add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
	if (extension == NULL)
		return false;
	bool is_added = X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return is_added;
}

static X509 *new_certificate(EVP_PKEY *key, const char *common_name, X509 *issuer)
{
	unsigned char serial[8];
	X509 *certificate = X509_new();
	if (certificate == NULL || RAND_bytes(serial, sizeof serial) != 1)
		return certificate;
	uint64_t number = 0;
	for (size_t i = 0; i < sizeof serial; i++)
		number = number << 8 | serial[i];
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), number >> 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
	X509_gmtime_adj(X509_getm_notAfter(certificate), (long)VALID_DAYS * 86400);
	X509_NAME *name = X509_get_subject_name(certificate);
	X509_NAME_add_entry_by_txt(
		name, "O", MBSTRING_ASC, (const unsigned char *)"orgsweep simulator", -1, -1, 0);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1, 0);
	X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : name);
	X509_set_pubkey(certificate, key);
	return certificate;
}

static X509 *make_ca(const struct swp_sim_tls *tls)
{
	X509 *ca = new_certificate(tls->ca_key, "orgsweep simulator CA", NULL);
	if (ca == NULL || !add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
		!add_extension(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") ||
		!add_extension(ca, ca, NID_subject_key_identifier, "hash") ||
		X509_sign(ca, tls->ca_key, EVP_sha256()) == 0 || !write_certificate(tls, "ca.pem", ca)) {
		X509_free(ca);
		return NULL;
	}
	return ca;
}

/* Host names of AWS in one region: plain, dual-stack, virtual-host S3, and services with two labels. */
static void put_region_names(struct swp_sim_buffer *names, const struct swp_sim_region *region)
{
	const struct swp_sim_partition *partition =
		swp_sim_partition_find(swp_sim_text_of(region->partition));
	const char *dual = strcmp(region->partition, "aws-cn") == 0	? "api.amazonwebservices.com.cn"
			   : strcmp(region->partition, "aws-eusc") == 0 ? "api.amazonwebservices.eu"
									: "api.aws";
	static const char *const below[] = {"", "sagemaker.", "api-fips.sagemaker.", "ecr.", "s3.",
		"dualstack.", "s3.dualstack.", "s3-control."};
	for (size_t i = 0; i < sizeof below / sizeof below[0]; i++)
		swp_sim_buffer_printf(names, "%sDNS:*.%s%s.%s", i ? "," : "", below[i], region->name,
			partition->dns_suffix);
	swp_sim_buffer_printf(
		names, ",DNS:*.%s.%s,DNS:*.sagemaker.%s.%s", region->name, dual, region->name, dual);
}

static void put_plain_names(struct swp_sim_buffer *names)
{
	swp_sim_buffer_put(names, "DNS:localhost,DNS:*.localhost,IP:127.0.0.1,IP:::1");
	for (size_t i = 0; i < swp_sim_partition_count; i++) {
		if (i != 2) /* GovCloud has the suffix of the first */
			swp_sim_buffer_printf(names, ",DNS:*.%s,DNS:*.s3.%s",
				swp_sim_partitions[i].dns_suffix, swp_sim_partitions[i].dns_suffix);
	}
}

static X509 *make_leaf(const struct swp_sim_tls *tls, unsigned number)
{
	struct swp_sim_buffer names = {0};
	if (number == PLAIN_LEAF)
		put_plain_names(&names);
	else
		put_region_names(&names, &swp_sim_regions[number]);
	X509 *leaf = new_certificate(
		tls->key, number == PLAIN_LEAF ? "localhost" : swp_sim_regions[number].name, tls->ca);
	bool is_made = leaf != NULL &&
		       add_extension(leaf, tls->ca, NID_basic_constraints, "critical,CA:FALSE") &&
		       add_extension(leaf, tls->ca, NID_key_usage, "critical,digitalSignature") &&
		       add_extension(leaf, tls->ca, NID_ext_key_usage, "serverAuth") &&
		       add_extension(leaf, tls->ca, NID_subject_alt_name, swp_sim_buffer_string(&names)) &&
		       X509_sign(leaf, tls->ca_key, EVP_sha256()) != 0;
	swp_sim_buffer_done(&names);
	if (!is_made) {
		X509_free(leaf);
		return NULL;
	}
	return leaf;
}

/* Reads the authority and the plain leaf if they are there and of our keys. */
static X509 *read_certificate(const struct swp_sim_tls *tls, const char *name, EVP_PKEY *key)
{
	FILE *file = open_in(tls, name, "re");
	X509 *certificate = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
	if (file)
		fclose(file);
	if (certificate != NULL && X509_check_private_key(certificate, key) != 1) {
		X509_free(certificate);
		certificate = NULL;
	}
	ERR_clear_error();
	return certificate;
}

static unsigned leaf_for(const char *name)
{
	struct swp_sim_text rest = swp_sim_text_of(name);
	while (rest.at != NULL) {
		unsigned region = swp_sim_region_find(swp_sim_text_cut(&rest, '.'));
		if (region != SWP_SIM_REGION_NONE)
			return region;
	}
	return PLAIN_LEAF;
}

static int choose_leaf(SSL *ssl, int *alert, void *argument)
{
	struct swp_sim_tls *tls = argument;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	unsigned number = name ? leaf_for(name) : PLAIN_LEAF;
	if (number == PLAIN_LEAF)
		return SSL_TLSEXT_ERR_OK;
	if (tls->leaves[number] == NULL)
		tls->leaves[number] = make_leaf(tls, number);
	if (tls->leaves[number] == NULL ||
		SSL_use_cert_and_key(ssl, tls->leaves[number], tls->key, NULL, 1) != 1) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *make_context(struct swp_sim_tls *tls)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	if (context == NULL)
		return NULL;
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_id_context(context, (const unsigned char *)"orgsweep", 8);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets only */
	SSL_CTX_set_num_tickets(context, 1);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_tlsext_servername_callback(context, choose_leaf);
	SSL_CTX_set_tlsext_servername_arg(context, tls);
	if (SSL_CTX_use_certificate(context, tls->leaves[PLAIN_LEAF]) != 1 ||
		SSL_CTX_use_PrivateKey(context, tls->key) != 1) {
		SSL_CTX_free(context);
		return NULL;
	}
	return context;
}

static const char *prepare(struct swp_sim_tls *tls)
{
	tls->ca_key = key_from_file_or_new(tls, "ca-key.pem");
	tls->key = key_from_file_or_new(tls, "key.pem");
	if (tls->ca_key == NULL || tls->key == NULL)
		return "cannot read or write the keys in";
	tls->ca = read_certificate(tls, "ca.pem", tls->ca_key);
	if (tls->ca == NULL)
		tls->ca = make_ca(tls);
	if (tls->ca == NULL)
		return "cannot make or write ca.pem in";
	tls->leaves[PLAIN_LEAF] = read_certificate(tls, "cert.pem", tls->key);
	if (tls->leaves[PLAIN_LEAF] != NULL && X509_verify(tls->leaves[PLAIN_LEAF], tls->ca_key) == 1)
		return NULL;
	X509_free(tls->leaves[PLAIN_LEAF]);
	tls->leaves[PLAIN_LEAF] = make_leaf(tls, PLAIN_LEAF);
	if (tls->leaves[PLAIN_LEAF] == NULL || !write_certificate(tls, "cert.pem", tls->leaves[PLAIN_LEAF]))
		return "cannot make or write cert.pem in";
	return NULL;
}

struct swp_sim_tls *swp_sim_tls_new(const char *folder, struct swp_sim_buffer *error)
{
	struct swp_sim_tls *tls = swp_sim_allocate_zeroed(1, sizeof *tls);
	tls->folder = swp_sim_copy(folder);
	if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
		swp_sim_buffer_printf(error, "cannot create folder %s: %m", folder);
		swp_sim_tls_free(tls);
		return NULL;
	}
	const char *problem = prepare(tls);
	if (problem == NULL) {
		tls->context = make_context(tls);
		if (tls->context != NULL)
			return tls;
		problem = "OpenSSL refuses the certificate or key in";
	}
	swp_sim_buffer_printf(error, "%s %s", problem, folder);
	swp_sim_tls_free(tls);
	return NULL;
}

void swp_sim_tls_free(struct swp_sim_tls *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->context);
	for (size_t i = 0; i <= PLAIN_LEAF; i++)
		X509_free(tls->leaves[i]);
	X509_free(tls->ca);
	EVP_PKEY_free(tls->ca_key);
	EVP_PKEY_free(tls->key);
	free(tls->folder);
	free(tls);
}

SSL_CTX *swp_sim_tls_context(struct swp_sim_tls *tls)
{
	return tls->context;
}
