// SPDX-License-Identifier: Apache-2.0
/* crypto.c - libcrypto's assembler: hashes, ciphers, big numbers */
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <string.h>

#include "marker.h"

static unsigned char bytes[700], out[800];

static EVP_MD_CTX *hashing(const EVP_MD *md)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	EVP_DigestInit_ex(ctx, md, NULL);
	return ctx;
}

static void hash(EVP_MD_CTX *ctx)
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	EVP_DigestUpdate(ctx, bytes, sizeof(bytes));
	EVP_DigestFinal_ex(ctx, digest, NULL);
	EVP_MD_CTX_free(ctx);
}

static EVP_CIPHER_CTX *encrypting(const EVP_CIPHER *cipher)
{
	static const unsigned char key[64] = {1}, iv[16] = {2};
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	EVP_EncryptInit_ex(ctx, cipher, NULL, key, iv);
	return ctx;
}

static void encrypt(EVP_CIPHER_CTX *ctx)
{
	int len;

	EVP_EncryptUpdate(ctx, out, &len, bytes, sizeof(bytes));
	EVP_EncryptFinal_ex(ctx, out + len, &len);
	EVP_CIPHER_CTX_free(ctx);
}

static void power(unsigned words)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *a = BN_new(), *p = BN_new(), *m = BN_new(), *r = BN_new();

	memset(bytes, 0xa5, sizeof(bytes));
	BN_bin2bn(bytes, (int)words * 8, m);
	BN_set_bit(m, 0);
	BN_bin2bn(bytes, (int)words * 4, a);
	BN_set_word(p, 65537);
	BN_mod_exp(r, a, p, m, ctx);
	BN_set_flags(p, BN_FLG_CONSTTIME);
	BN_set_word(p, 5);
	BN_mod_exp(r, a, p, m, ctx);
	BN_sqr(r, a, ctx);
	BN_mul(r, a, m, ctx);
	BN_free(a);
	BN_free(p);
	BN_free(m);
	BN_free(r);
	BN_CTX_free(ctx);
}

int main(void)
{
	/* What looks them up by name is C code. */
	EVP_MD_CTX *md[] = {
		hashing(EVP_md5()),      hashing(EVP_sha1()),
		hashing(EVP_sha256()),   hashing(EVP_sha512()),
		hashing(EVP_sha3_256()),
	};
	EVP_CIPHER_CTX *cipher[] = {
		encrypting(EVP_aes_128_cbc()),
		encrypting(EVP_aes_256_ctr()),
		encrypting(EVP_aes_256_gcm()),
		encrypting(EVP_chacha20_poly1305()),
		encrypting(EVP_camellia_128_cbc()),
	};

	power(2);
	MARKER();
	for (unsigned i = 0; i < sizeof(md) / sizeof(md[0]); i++)
		hash(md[i]);
	for (unsigned i = 0; i < sizeof(cipher) / sizeof(cipher[0]); i++)
		encrypt(cipher[i]);
	power(4);
	power(7);
	MARKER();
	return 0;
}
