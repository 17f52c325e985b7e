"""Files are read in the encoding, the delimiter and the compression in which other programs write them."""

import gzip
import json
from pathlib import Path

import pytest

from data.feed_files.reader import FeedFile, read_feed
from data.schemas import FeedFileError
from tests.support.feed_writing import FORMATS, VIEW, write_rows

HEADER = "id,author_id,content,created_at"
TEXT = f"{HEADER}\np1,zoë,Grüße,2026-01-01\np2,zoë,été à,2026-01-01\n"


def contents_of(feed: FeedFile) -> list[str]:
    assert feed.dataset.users.external_id == ["zoë"]
    return feed.dataset.posts.text


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"]
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_files_are_read_in_any_usual_encoding_and_delimiter(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(TEXT.replace(",", delimiter).encode(encoding))

    feed = read_feed(None, path)

    assert contents_of(feed) == ["Grüße", "été à"]
    is_guessed = encoding in ("cp1252", "latin-1")
    assert feed.notes == ("p.csv: read as cp1252, because it is not UTF-8",) * is_guessed


@pytest.mark.parametrize("name", ["p.csv.gz", "p.tsv.gz", "p.CSV.GZ"])
def test_compressed_files_are_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    text = TEXT.replace(",", "\t") if "tsv" in name else TEXT
    path.write_bytes(gzip.compress(text.encode("utf-16")))

    assert contents_of(read_feed(None, path)) == ["Grüße", "été à"]


@pytest.mark.parametrize("form", ["ndjson", "jsonl", "json"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_files_are_read_compressed_and_in_utf_16(tmp_path: Path, form: str, encoding: str) -> None:
    rows = [json.dumps({**VIEW, "user_id": "zoë"}, ensure_ascii=False)] * 2
    text = f"[{','.join(rows)}]" if form == "json" else "\n".join(rows)
    path = tmp_path / f"i.{form}.gz"
    path.write_bytes(gzip.compress(text.encode(encoding)))

    feed = read_feed(path)

    assert (feed.dataset.users.external_id, len(feed.dataset.events)) == (["zoë"], 2)


def test_the_delimiter_line_of_a_table_program_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("sep=;\n" + TEXT.replace(",", ";") + "p3;zoë;;never\n")

    with pytest.raises(FeedFileError, match="line 5: column created_at: 'never'"):
        read_feed(None, path)


def test_lines_that_end_as_on_old_computers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(TEXT.replace("\n", "\r").encode())

    assert contents_of(read_feed(None, path)) == ["Grüße", "été à"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.csv", f"{HEADER}\np1,a,Привет мир,1\n".encode("cp1251"), "line 2: is not UTF-8; save the file as UTF-8"),
        ("p.csv", f"{HEADER}\np1,a,こんにちは,1\n".encode("shift-jis"), "line 2: is not UTF-8; save the file as UTF-8"),
        ("p.csv", TEXT.encode() + b"p3,\xe9,,1\n", "line 4: is not UTF-8; save the file as UTF-8"),
        ("p.csv", gzip.compress(TEXT.encode(), mtime=0), "is compressed with gzip: its name needs the suffix .gz"),
        ("p.csv", TEXT.encode("utf-16")[:-1], "is not utf-16"),
        ("p.csv.gz", TEXT.encode(), "is damaged: Not a gzipped file"),
        ("p.csv.gz", gzip.compress(TEXT.encode(), mtime=0)[:-12], "is damaged: "),
        ("p.ndjson.gz", gzip.compress(b"{}\n" * 9, mtime=0)[:-12], "is damaged: "),
        ("p.csv", b"PK\x03\x04 and more", "is a zip archive or a workbook: unpack it, or save the table as CSV"),
        ("p.xlsx", b"PK\x03\x04 and more", "is a workbook: save the table as CSV"),
        ("p.zip", b"PK\x03\x04 and more", "is an archive: unpack it"),
        ("p.csv.zst", b"", "is an archive: unpack it"),
        ("p.csv", b"PAR1 and more", "is a Parquet file: its name needs the suffix .parquet"),
        ("p.parquet.gz", b"", "is a compressed Parquet file: unpack it"),
    ],
)  # fmt: skip
def test_files_that_are_not_read_say_what_to_do(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(FeedFileError) as caught:
        read_feed(None, path)

    assert str(caught.value).startswith(f"{path}: {said}")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("form", FORMATS)
def test_a_folder_of_shards_is_one_file(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "posts"
    folder.mkdir()
    for number in (2, 1):
        rows = [{"id": f"p{number}{row}", "author": "zoë", "created_at": "2026-01-01"} for row in range(2)]
        write_rows(folder / f"part-{number}.{form}", rows, "posts")
    (folder / "_SUCCESS").touch()
    (folder / ".part-1.crc").touch()

    feed = read_feed(None, folder)

    assert feed.dataset.posts.external_id == ["p10", "p11", "p20", "p21"]
    assert feed.notes == ("posts: read 'author' as author_id",)


def test_an_error_in_a_shard_names_the_shard(tmp_path: Path) -> None:
    write_rows(tmp_path / "1.csv", [{"id": "p1", "created_at": "2026-01-01"}], "posts")
    write_rows(tmp_path / "2.csv", [{"id": "p2", "created_at": "never"}], "posts")

    with pytest.raises(FeedFileError) as caught:
        read_feed(None, tmp_path)

    assert str(caught.value).startswith(
        f"{tmp_path}: 2.csv: line 2: column created_at: 'never' is not a time"
    )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "contains no file"),
        ({"1.csv": "id\n", "2.ndjson": "{}\n"}, "contains files of several formats: .csv, .ndjson"),
        ({"1.csv": "id,tags\n", "2.csv": "id\n"}, "2.csv: has other columns than 1.csv"),
    ],
)
def test_a_folder_of_different_files_is_rejected(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    with pytest.raises(FeedFileError) as caught:
        read_feed(None, tmp_path)

    assert said in str(caught.value)
