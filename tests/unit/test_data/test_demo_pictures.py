"""The pictures of the demo feed."""

from pathlib import Path

from data.demo_pictures import ALT_TEXTS, HEIGHT_PX, WIDTH_PX
from data.synthetic.texts import LANGUAGES, phrases

FOLDER = Path(__file__).parents[3] / "web" / "public" / "pictures"


def test_each_topic_has_a_picture_with_the_size_and_the_text_that_posts_say() -> None:
    topics = {
        subtopic.tags[0] for language in LANGUAGES for topic in phrases(language).topics for subtopic in topic
    }

    assert topics == set(ALT_TEXTS) == {file.stem for file in FOLDER.glob("*.svg")}
    for topic, alt in ALT_TEXTS.items():
        picture = (FOLDER / f"{topic}.svg").read_text(encoding="utf-8")
        assert f'width="{WIDTH_PX}" height="{HEIGHT_PX}"' in picture
        assert f"<title>{alt}</title>" in picture
        assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")  # nothing of another origin
