"""Where keys come from, and how they are written."""

import base64
import logging
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from app.infrastructure.ml.registry.signing import PRIVATE_FILE, PUBLIC_FILE, PublicKey, Signer, model_keys
from app.shared.exceptions import ConfigurationError

ROOT = Path(__file__).parents[4]
RAW = bytes(range(32))
SIGNER = Signer.parse(base64.b64encode(RAW).decode())


def public_pem(signer: Signer) -> str:
    key = ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(signer.public.text))
    encoded = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded.decode()


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(RAW).decode(),
        base64.urlsafe_b64encode(RAW).decode().rstrip("="),
        f" {base64.b64encode(RAW).decode()}\n",
        SIGNER.pem().decode(),
        SIGNER.pem().decode().replace("\n", "\\n"),
    ],
)
def test_a_private_key_is_read_in_each_way_of_writing_it(text: str) -> None:
    assert Signer.parse(text).public.text == SIGNER.public.text


@pytest.mark.parametrize(
    "text", [SIGNER.public.text, public_pem(SIGNER), public_pem(SIGNER).replace("\n", "\\n")]
)
def test_a_public_key_is_read_in_each_way_of_writing_it(text: str) -> None:
    assert PublicKey.parse(text).key_id == SIGNER.public.key_id


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_signature_fits_its_message_alone(message: bytes, other: bytes) -> None:
    signature = SIGNER.sign(message)

    assert SIGNER.public.verifies(message, signature)
    assert SIGNER.public.verifies(other, signature) == (message == other)
    assert not Signer.generate().public.verifies(message, signature)


@pytest.mark.parametrize("signature", ["", "AAAA", "é", "not base64!", "A" * 100_000])
def test_what_is_no_signature_does_not_verify(signature: str) -> None:
    assert not SIGNER.public.verifies(b"message", signature)


def foreign_pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded.decode()


def encrypted_pem() -> str:
    encoded = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )
    return encoded.decode()


@pytest.mark.parametrize(
    "text", ["abc", "é" * 44, "A" * 44, "-----BEGIN nothing", foreign_pem(), encrypted_pem()]
)
def test_a_wrong_key_is_one_line_that_names_the_variable_and_hides_the_secret(
    text: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="MODEL_SIGNING_KEY: not an Ed25519 private key") as signing:
        model_keys(text, [], tmp_path, signs=True)
    with pytest.raises(ConfigurationError, match="MODEL_TRUSTED_KEYS: not an Ed25519 public key"):
        model_keys(None, [text], tmp_path, signs=False)

    assert "\n" not in str(signing.value)
    assert text[:20] not in str(signing.value)


def test_a_service_with_trusted_keys_makes_and_holds_no_private_key(tmp_path: Path) -> None:
    keys = model_keys(SIGNER.pem().decode(), [SIGNER.public.text], tmp_path / "keys", signs=False)

    assert keys.signer is None
    assert list(keys.trusted) == [SIGNER.public.key_id]
    assert not (tmp_path / "keys").exists()


def test_a_signer_trusts_its_own_key_and_the_configured_keys(tmp_path: Path) -> None:
    other = Signer.generate()

    alone = model_keys(SIGNER.pem().decode(), [], tmp_path / "keys", signs=True)
    both = model_keys(SIGNER.pem().decode(), [other.public.text], tmp_path / "keys", signs=True)

    assert set(alone.trusted) == {SIGNER.public.key_id}
    assert set(both.trusted) == {SIGNER.public.key_id, other.public.key_id}
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("service_first", [True, False])
def test_keys_that_are_unset_are_made_once_for_both_halves_with_a_warning(
    service_first: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "local" / "keys"

    with caplog.at_level(logging.WARNING):
        first, second = (
            model_keys(None, [], folder, signs=signs) for signs in (not service_first, service_first)
        )

    assert set(first.trusted) == set(second.trusted)
    assert len(first.trusted) == 1
    assert [
        message for message in caplog.messages if "made a model signing key" in message
    ] == caplog.messages
    assert len(caplog.messages) == 1
    assert {path.name for path in folder.iterdir()} == {PRIVATE_FILE, PUBLIC_FILE}
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_processes_that_start_together_end_up_with_one_key(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from app.infrastructure.ml.registry.signing import model_keys;"
        "print(*model_keys(None, [], Path(sys.argv[1]), signs=True).trusted)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "keys")]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(4)
    ]

    key_ids = {process.communicate()[0] for process in processes}

    assert len(key_ids) == 1
    assert len(key_ids.pop().strip()) == 16


def test_where_keys_cannot_be_kept_a_service_trusts_nobody_and_a_signer_stops(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")

    keys = model_keys(None, [], tmp_path / "file" / "keys", signs=False)

    assert keys.trusted == {}
    assert "no model is trusted" in caplog.text
    with pytest.raises(ConfigurationError, match=r"MODEL_SIGNING_KEY: unset, and .* Not a directory"):
        model_keys(None, [], tmp_path / "file" / "keys", signs=True)


def test_a_kept_file_that_holds_no_key_is_named(tmp_path: Path) -> None:
    (tmp_path / PRIVATE_FILE).write_text("nothing")

    with pytest.raises(ConfigurationError, match=f"{PRIVATE_FILE}: not an Ed25519 private key"):
        model_keys(None, [], tmp_path, signs=True)
    (tmp_path / PUBLIC_FILE).write_text("nothing")
    with pytest.raises(ConfigurationError, match=f"{PUBLIC_FILE}: not an Ed25519 public key"):
        model_keys(None, [], tmp_path, signs=False)
