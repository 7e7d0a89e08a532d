"""Certificates of every kind, made when they are asked for, with Debian's python3-cryptography."""

import datetime
import ipaddress
import itertools
import select
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.utcnow()
DAY = datetime.timedelta(days=1)
LOCAL = ("localhost", "127.0.0.1", "::1")


def common_name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def pem_of(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


class Authority:
    """Signs what it is asked to. Its certificate is in `path`."""

    def __init__(self, directory, name="Test Authority"):
        self.directory, self.name = directory, common_name(name)
        self.issued = itertools.count(1)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self.sign(x509.CertificateBuilder().subject_name(self.name), self.key, authority=True)
        self.path = self.write(f"{name.replace(' ', '-').lower()}.pem", self.certificate)

    def write(self, name, *parts):
        path = self.directory / name
        path.write_bytes(b"".join(part if isinstance(part, bytes) else part.public_bytes(serialization.Encoding.PEM)
                                  for part in parts))
        return str(path)

    def sign(self, builder, key, authority=False, begin=NOW - DAY, end=NOW + 30 * DAY):
        return (builder.issuer_name(self.name).public_key(key.public_key()).not_valid_before(begin)
                .not_valid_after(end).serial_number(x509.random_serial_number())
                .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
                .sign(self.key, hashes.SHA256()))

    def issue(self, name, names=LOCAL, subject=None, usage=ExtendedKeyUsageOID.SERVER_AUTH, bits=0, **dates):
        """Writes a certificate and its key, and returns their paths and the certificate. The files are new each time:
        many tests share an authority, in an order that nobody knows."""
        key = rsa.generate_private_key(65537, bits) if bits else ec.generate_private_key(ec.SECP256R1())
        builder = (x509.CertificateBuilder().subject_name(common_name(subject or name))
                   .add_extension(x509.ExtendedKeyUsage([usage]), critical=False))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([alternative(each) for each in names]), False)
        certificate = self.sign(builder, key, **dates)
        file = f"{name}-{next(self.issued)}"
        return (self.write(f"{file}.pem", certificate), self.write(f"{file}.key", pem_of(key)), certificate)

    def client(self, name="a client"):
        return self.issue(name.replace(" ", "-"), names=None, subject=name, usage=ExtendedKeyUsageOID.CLIENT_AUTH)

    def revoke(self, certificate):
        """A file with the authority's certificate and a list that revokes this one."""
        revoked = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(NOW - DAY)
        crl = (x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(NOW - DAY)
               .next_update(NOW + DAY).add_revoked_certificate(revoked.build()).sign(self.key, hashes.SHA256()))
        return self.write("revocations.pem", self.certificate, crl)


def fingerprint(certificate):
    return "sha256:" + certificate.fingerprint(hashes.SHA256()).hex()


def trusting(authority=None, certificate=None, versions=(None, None)):
    """A client's context: verifies against this authority, or, without one, nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority:
        context.load_verify_locations(authority)
    else:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(*certificate)
    context.minimum_version = versions[0] or context.minimum_version
    context.maximum_version = versions[1] or context.maximum_version
    return context


class Secured:
    """TLS over a plain socket by way of memory, so that a test decides which bytes of the wire go when."""

    def __init__(self, sock, context=None, name="localhost", session=None, server_side=False):
        self.sock = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl = (context or trusting()).wrap_bio(self.incoming, self.outgoing, server_side=server_side,
                                                    server_hostname=None if server_side else name, session=session)

    def flight(self):
        """What this side would say now; taken from it."""
        return self.outgoing.read()

    def flush(self):
        if data := self.flight():
            self.sock.sendall(data)

    def feed(self):
        """Takes what came from the wire. False: the wire has ended."""
        data = self.sock.recv(1 << 18)
        if not data:
            self.incoming.write_eof()
            return False
        self.incoming.write(data)
        return True

    def repeat(self, operation, *arguments):
        while True:
            try:
                result = operation(*arguments)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                self.feed()
            except ssl.SSLError:
                self.flush()
                raise

    def handshake(self):
        self.repeat(self.ssl.do_handshake)
        return self

    def first_flight(self):
        """The ClientHello."""
        try:
            self.ssl.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.flight()

    def send(self, data):
        self.ssl.write(data)
        self.flush()

    sendall = send

    def recv(self, size):
        """b"" when the peer has said close_notify; a wire that just ends raises."""
        try:
            return self.repeat(self.ssl.read, size)
        except ssl.SSLZeroReturnError:
            return b""

    def say_end(self):
        """close_notify, without waiting for the peer's."""
        try:
            self.ssl.unwrap()
        except ssl.SSLError:
            pass
        self.flush()

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        self.close()


def exchange_all(secured, data, pause=None):
    """Sends all of it while receiving as much, says the end, and returns what came until the peer's end."""
    sock, got, sent, pending = secured.sock, [], 0, b""
    sock.setblocking(False)
    ended = said = False
    while not ended:
        if not pending and sent < len(data):
            secured.ssl.write(data[sent:sent + 65536])
            sent += 65536
            pending = secured.flight()
        elif not pending and not said:
            try:
                secured.ssl.unwrap()
            except ssl.SSLError:
                pass
            said, pending = True, secured.flight()
        poll = select.poll()  # select(2) cannot watch descriptors from 1024 on
        poll.register(sock, select.POLLIN | (select.POLLOUT if pending else 0))
        events = sum(seen for _, seen in poll.poll(20_000))
        assert events, f"nothing moves: {sent} sent, {sum(map(len, got))} received"
        if events & select.POLLOUT:
            try:
                pending = pending[sock.send(pending):]
            except BlockingIOError:
                pass
        if events & ~select.POLLOUT:
            if pause:
                pause()
            data_in = sock.recv(1 << 18)
            secured.incoming.write(data_in) if data_in else secured.incoming.write_eof()
            ended = read_what_is_there(secured, got)
    sock.settimeout(20)
    return b"".join(got)


def read_what_is_there(secured, got):
    """True at close_notify."""
    while True:
        try:
            part = secured.ssl.read(1 << 18)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLZeroReturnError:
            return True
        if not part:
            return True
        got.append(part)


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def good(authority):
    return authority.issue("good")
