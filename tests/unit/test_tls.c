/* TLS without sockets: what stands alone, and two sessions that talk through memory. FAULTS C2 and F12:
 * OpenSSL runs out of memory at any point; no crash, no leak, and nothing of it is told of the next session.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tls/inside.h"
#include "tls/names.h"
#include "two_ends.h"
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <parley.h>

/* ---- memory that runs out ---- */

static long allowed = -1, asked; /* allocations until it fails; -1: never */
static bool for_good;

static bool is_refused(void)
{
    asked++;
    if (allowed < 0)
        return false;
    if (allowed > 0) {
        allowed--;
        return false;
    }
    if (!for_good)
        allowed = -1;
    return true;
}

static void *give(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return is_refused() ? NULL : malloc(size);
}

static void *give_again(void *memory, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return is_refused() ? NULL : realloc(memory, size);
}

static void take(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    free(memory);
}

/* ---- two sessions, and the wire between them ---- */

static struct end server, client;
static struct tls_policy policy;
static struct tls_keep *keep;
static struct tls *tls;

static int open_pair(void **state)
{
    (void)state;
    tls_policy_default(&policy);
    set_policy(&policy, "tls", "self-signed");
    set_policy(&policy, "dial-tls", "on");
    set_policy(&policy, "insecure", "on");
    keep = tls_keep_new();
    assert_non_null(keep);
    assert_int_equal(tls_open(&tls, &policy, keep), 0);
    return 0;
}

static int close_pair(void **state)
{
    (void)state;
    tls_close(tls);
    tls_keep_free(keep);
    tls_policy_free(&policy);
    return 0;
}

static void meet(size_t piece)
{
    ends_meet(&server, &client, tls, piece);
}

static void part(void)
{
    tls_session_free(server.session);
    tls_session_free(client.session);
}

/* ---- tests ---- */

static void pins_are_read_as_tools_print_them(void **state)
{
    unsigned char pin[PIN_SIZE];
    char text[PIN_TEXT], plain[] = "sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    (void)state;
    assert_int_equal(pin_parse(pin, plain), 0);
    for (unsigned i = 0; i < PIN_SIZE; i++)
        assert_int_equal(pin[i], i);
    pin_text(text, pin);
    assert_string_equal(text, plain);
    assert_int_equal(pin_parse(pin, "SHA256:00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:"
                                    "10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:FF"),
                     0);
    assert_int_equal(pin[31], 0xff);
    static const char *const wrong[] = {
        "",
        "sha256:",
        "sha1:00",
        "sha256:0",
        "sha256:zz",
        "sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
        "sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f0",
        "sha256::00"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(pin_parse(pin, wrong[i]), PARLEY_USAGE);
}

static void protocols_are_written_with_their_lengths(void **state)
{
    struct alpn alpn;
    char many[600];
    (void)state;
    assert_int_equal(alpn_parse(&alpn, "alpn", "h2,http/1.1"), 0);
    assert_int_equal(alpn.size, 12);
    assert_memory_equal(alpn.names, "\2h2\10http/1.1", 12);
    assert_int_equal(alpn_parse(&alpn, "alpn", ""), PARLEY_USAGE);
    assert_int_equal(alpn_parse(&alpn, "alpn", "a,"), PARLEY_USAGE);
    memset(many, 'a', sizeof many);
    many[sizeof many - 1] = '\0';
    assert_int_equal(alpn_parse(&alpn, "alpn", many), PARLEY_USAGE);
    for (size_t i = 1; i < sizeof many - 1; i += 2)
        many[i] = ',';
    many[sizeof many - 2] = 'a';
    assert_int_equal(alpn_parse(&alpn, "alpn", many), PARLEY_USAGE);
}

static void a_throw_away_certificate_is_for_this_machine(void **state)
{
    X509 *certificate = SSL_CTX_get0_certificate(tls->serving->items[0]);
    char names[256];
    (void)state;
    names_text(certificate, names, sizeof names);
    assert_non_null(strstr(names, "localhost, 127.0.0.1, ::1"));
    assert_true(names_fit(certificate, "localhost"));
    assert_true(names_fit(certificate, "LOCALHOST"));
    assert_false(names_fit(certificate, "localhost.example"));
    assert_false(names_fit(certificate, "parley self-signed"));
    assert_non_null(strstr(tls_story(tls), "--pin sha256:"));
}

static void talk(size_t piece)
{
    static unsigned char data[100000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 7 >> 3);
    meet(piece);
    assert_true(server.is_done && client.is_done);
    assert_string_equal(tls_fact(client.session, "protocol"), "TLSv1.3");
    assert_null(tls_fact(client.session, "colour"));
    assert_int_equal(tls_write(client.session, data, sizeof data), 0);
    end_deliver(&client, &server, piece);
    assert_int_equal(server.heard_size, sizeof data);
    assert_memory_equal(server.heard, data, sizeof data);
    assert_int_equal(tls_write(server.session, "answer", 6), 0);
    tls_say_end(server.session);
    end_deliver(&server, &client, piece);
    assert_memory_equal(client.heard, "answer", 6);
    assert_true(client.has_ended && !server.has_ended);
    assert_int_equal(tls_write(server.session, "more", 4), PARLEY_STALE);
    part();
}

static void bytes_pass_in_pieces_of_any_size(void **state)
{
    (void)state;
    talk(ROOM);
    talk(1);
    talk(1000);
}

/* FAULTS F7: a ticket that spans two records; while it is half here nothing can be said. */
static void what_is_said_in_the_middle_of_a_ticket_is_kept(void **state)
{
    static unsigned char tickets[ROOM];
    char name[256]; /* it is in the ticket */
    memset(name, 'a', 255);
    name[255] = '\0';
    close_pair(state);
    open_pair(state);
    set_policy(&policy, "alpn", name);
    set_policy(&policy, "dial-alpn", name);
    tls_close(tls);
    assert_int_equal(tls_open(&tls, &policy, keep), 0);
    SSL_CTX_set_max_send_fragment(tls->serving->items[0], 512);
    SSL_CTX_set_num_tickets(tls->serving->items[0], 1);
    end_begin(&server, tls, false);
    end_begin(&client, tls, true);
    end_shake(&client);
    end_deliver(&client, &server, ROOM);
    end_deliver(&server, &client, ROOM);
    end_deliver(&client, &server, ROOM);
    size_t size = server.outbox_size, first = 5 + ((size_t)server.outbox[3] << 8) + server.outbox[4];
    memcpy(tickets, server.outbox, size);
    assert_true(server.is_done && client.is_done && first < size);
    end_hear(&client, tickets, first);
    assert_int_equal(tls_write(client.session, "kept ", 5), 0);
    assert_int_equal(tls_write(client.session, "back", 4), 0);
    assert_int_equal(tls_held(client.session), 9);
    end_hear(&client, tickets + first, size - first);
    assert_int_equal(tls_held(client.session), 0);
    end_deliver(&client, &server, ROOM);
    assert_int_equal(server.heard_size, 9);
    assert_memory_equal(server.heard, "kept back", 9);
    part();
}

static void what_was_spoiled_is_not_heard(void **state)
{
    (void)state;
    meet(ROOM);
    tls_write(client.session, "first", 5);
    end_deliver(&client, &server, ROOM);
    tls_write(client.session, "second", 6);
    client.outbox[8] ^= 1;
    end_deliver(&client, &server, ROOM);
    assert_true(server.is_broken);
    assert_int_equal(server.heard_size, 5);
    assert_non_null(strstr(parley_error(), "a record was damaged or forged"));
    assert_int_equal(ERR_peek_error(), 0);
    assert_true(tls_write(server.session, "x", 1) < 0);
    part();
}

/* However the wire is cut: what stands before the bad record is heard, and nothing behind it. */
static void good_bytes_ahead_of_a_bad_record_are_heard(void **state)
{
    static const size_t pieces[] = {ROOM, 1, 7, 24, 48, 60};
    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        meet(ROOM);
        tls_write(client.session, "one", 3);
        tls_write(client.session, "two", 3);
        size_t good = client.outbox_size;
        tls_write(client.session, "bad", 3);
        client.outbox[good + 8] ^= 1;
        tls_write(client.session, "behind", 6);
        end_deliver(&client, &server, pieces[i]);
        assert_true(server.is_broken);
        assert_int_equal(server.heard_size, 6);
        assert_memory_equal(server.heard, "onetwo", 6);
        end_deliver(&server, &client, ROOM);
        assert_true(client.is_broken); /* the alert */
        part();
    }
}

/* A handshake in which the Nth allocation fails is broken or not; the one after it is not. */
static void starve(long nth)
{
    static const char text[] = "still whole";
    allowed = nth;
    meet(ROOM);
    if (client.is_done && server.is_done && tls_write(client.session, text, sizeof text) == 0)
        end_deliver(&client, &server, ROOM);
    allowed = -1;
    assert_int_equal(ERR_peek_error(), 0);
    assert_true(server.heard_size == 0 || memcmp(server.heard, text, server.heard_size) == 0);
    part();
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    meet(ROOM); /* what is made once is made */
    part();
    asked = 0;
    starve(-1);
    long all = asked;
    assert_true(all > 100);
    for (int good = 0; good < 2; good++) { /* a sample of all, so that it takes no longer than others */
        for_good = good;
        for (long nth = good; nth < all; nth += good ? 37 : 7)
            starve(nth);
    }
    meet(ROOM);
    assert_true(server.is_done && client.is_done);
    part();
}

int main(void)
{
    CRYPTO_set_mem_functions(give, give_again, take);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pins_are_read_as_tools_print_them),
        cmocka_unit_test(protocols_are_written_with_their_lengths),
        cmocka_unit_test(a_throw_away_certificate_is_for_this_machine),
        cmocka_unit_test(bytes_pass_in_pieces_of_any_size),
        cmocka_unit_test(what_is_said_in_the_middle_of_a_ticket_is_kept),
        cmocka_unit_test(what_was_spoiled_is_not_heard),
        cmocka_unit_test(good_bytes_ahead_of_a_bad_record_are_heard),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, open_pair, close_pair);
}
