"""The reader, on films that the tests make, healthy ones and others."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from mexbench.data import image_header
from mexbench.data.video.reader import BACKWARDS, ENDS_EARLY, TURNED, VARIABLE, Sampler, Video
from mexbench.errors import DataError
from tests import films


def read(path: Path, fps: float = 1000, **stretch: float) -> tuple[list[float], list[int], tuple[str, ...]]:
    with Video(path) as film:
        result = list(film.frames(fps=fps, **stretch))
        return [frame.time_s for frame in result], [films.number(frame.image) for frame in result], film.issues()


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.avi", "a.webm"])
def test_every_container_is_read(name: str, tmp_path: Path) -> None:
    times, numbers, issues = read(films.write(tmp_path / name, films.plain(20), fps=25))
    np.testing.assert_allclose(times, np.arange(20) / 25, atol=1e-3)
    assert numbers == list(range(20))
    assert issues == ()


def test_colours_are_in_the_order_rgb(tmp_path: Path) -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 200
    with Video(films.write(tmp_path / "a.avi", [red] * 3)) as film:
        image = next(film.frames(fps=10)).image
    assert image[..., 0].mean() > 180
    assert image[..., 1:].mean() < 30


def test_ten_frames_of_each_second_whatever_the_rate(tmp_path: Path) -> None:
    times, numbers, _ = read(films.write(tmp_path / "a.mp4", films.plain(30), fps=30), 10)
    assert numbers == [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]
    np.testing.assert_allclose(times, np.arange(10) / 10, atol=1e-6)
    times, numbers, _ = read(films.write(tmp_path / "b.mp4", films.plain(24), fps=24), 10)
    # Each is the first at or after a tick of 0.1 s: ceil(2.4 k).
    assert numbers == [0, 3, 5, 8, 10, 12, 15, 17, 20, 22]
    times, _, _ = read(films.write(tmp_path / "c.mp4", films.plain(10), fps=5), 10)
    np.testing.assert_allclose(times, np.arange(10) / 5, atol=1e-6)


def test_a_sampler_keeps_at_most_fps_frames_a_second() -> None:
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.001, 0.3, 3000))
    wanted = Sampler(10, float(times[0]))
    remaining = [time_s for time_s in times if wanted(float(time_s))]
    ticks = np.floor((np.array(remaining) - times[0] + 1e-4) * 10)
    assert (np.diff(ticks) >= 1).all()
    assert set(np.floor((times - times[0] + 1e-4) * 10)) == set(ticks)


def test_a_stretch_has_its_frames_alone(tmp_path: Path) -> None:
    path = films.write(tmp_path / "a.mp4", films.plain(29), fps=10)
    times, numbers, _ = read(path, start_s=1.5, end_s=2.0)
    assert numbers == [15, 16, 17, 18, 19]
    np.testing.assert_allclose(times, [1.5, 1.6, 1.7, 1.8, 1.9], atol=1e-6)
    assert read(path, start_s=2.65)[1] == [27, 28]
    with pytest.raises(DataError, match=r"has no frame from 9 s to 10 s; its header promises 2\.900 s"):
        read(path, start_s=9, end_s=10)


def test_one_film_can_be_read_twice(tmp_path: Path) -> None:
    with Video(films.write(tmp_path / "a.mp4", films.plain(12))) as film:
        first = list(film.times(fps=5))
        again = [frame.time_s for frame in film.frames(fps=5)]
        later = list(film.times(fps=5, start_s=0.6))
    assert first == again
    assert later == first[3:]


def test_a_variable_rate_is_sampled_by_time(tmp_path: Path) -> None:
    path = films.write(tmp_path / "a.mp4", films.plain(20), fps=20)
    films.uneven(path, [(10, 1), (10, 4)])  # half a second at 20 Hz, then two seconds at 5 Hz
    times, numbers, issues = read(path, 10)
    assert issues == (VARIABLE,)
    assert numbers == [0, 2, 4, 6, 8, *range(10, 20)]
    np.testing.assert_allclose(times, [0, 0.1, 0.2, 0.3, 0.4, *(0.5 + 0.2 * np.arange(10))], atol=1e-3)
    # OpenCV seeks by the number of a frame, which is at another time here.
    assert read(path, start_s=1.45, end_s=2.0)[1] == [15, 16, 17]


def test_a_film_of_a_turned_phone_is_upright(tmp_path: Path) -> None:
    path = films.write(tmp_path / "a.mp4", films.plain(10))
    films.turned(path, 90)
    with Video(path) as film:
        image = next(film.frames(fps=10)).image
        assert film.issues() == (TURNED,)
    assert image.shape == (64, 48, 3)
    # The bright left top quarter is turned clockwise to the right top.
    assert image[:28, 28:].mean() > 240
    assert image[36:, :20].mean() < 40


def test_a_film_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = films.write(tmp_path / "a.mp4", films.plain(29, step=5), fps=10)
    films.index_first(path)
    assert read(path)[2] == ()
    films.cut(path, 0.6)
    with Video(path) as film:
        count = sum(1 for _ in film.frames(fps=10))
        assert film.issues() == (ENDS_EARLY,)
        assert 3 < count < 24
        assert film.missing_s == pytest.approx(2.9 - count / 10)


def test_a_film_without_its_index_is_rejected(tmp_path: Path) -> None:
    path = films.write(tmp_path / "a.mp4", films.plain(9))
    films.cut(path, 0.8)
    with pytest.raises(DataError, match=r"a\.mp4: is cut off: its index \(moov\) is missing"):
        Video(path)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("empty.mp4", b"", r"is empty \(0 bytes\)"),
        ("list.mp4", b"#EXTM3U\n/etc/passwd", "is not a film: it begins with b'#EXTM3U"),
        ("song.mp4", b"ID3\x04" + bytes(100), "is an MP3 sound file, not a film"),
        ("noise.avi", b"RIFF\0\0\0\0AVI " + bytes(200), "has no pictures that can be decoded"),
    ],
)
def test_files_that_are_not_films_are_rejected(
    name: str, content: bytes, text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=text):
        Video(path)
    assert capfd.readouterr() == ("", "")


def test_sound_files_folders_and_missing_files_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"song\.mp4: is a WAVE sound file, not a film"):
        Video(films.sound(tmp_path / "song.mp4"))
    with pytest.raises(DataError, match="is a folder; expected a film"):
        Video(tmp_path)
    with pytest.raises(DataError, match=r"cannot be read \(No such file or directory\)"):
        Video(tmp_path / "none.mp4")


def test_a_film_without_frames_is_rejected(tmp_path: Path) -> None:
    path = films.write(tmp_path / "a.mp4", films.plain(9))
    films.index_first(path)
    films.cut(path, (path.read_bytes().find(b"mdat") + 4) / path.stat().st_size + 1e-9)
    with pytest.raises(DataError, match=r"a\.mp4: has no frame that can be decoded"):
        Video(path)


def test_an_absurd_size_is_refused_before_anything_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = films.write(tmp_path / "a.mp4", films.plain(3))
    monkeypatch.setattr(image_header, "MOST_PIXELS", 1000)
    with pytest.raises(DataError, match="claims frames of 64x48 pixels; at most 1000 pixels, 8K"):
        Video(path)


def test_frames_that_go_back_in_time_are_skipped(tmp_path: Path) -> None:
    path = films.write(tmp_path / "a.mp4", films.plain(10))
    films.uneven(path, [(5, 1), (1, 0), (4, 1)])
    times, numbers, issues = read(path)
    assert BACKWARDS in issues
    assert len(times) == 9
    assert sorted(times) == times
    assert 6 not in numbers or 5 not in numbers


def test_one_frame_is_in_memory_however_long_the_film(tmp_path: Path) -> None:
    path = films.write(tmp_path / "a.mp4", films.plain(400, (240, 320), step=0), fps=25)
    tracemalloc.start()
    try:
        with Video(path) as film:
            assert sum(1 for _ in film.frames(fps=100)) == 400
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * 240 * 320 * 3


def test_real_films_are_read(shared_data: Path) -> None:
    with Video(shared_data / "video" / "single_face.mp4") as film:
        assert len(list(film.times(fps=1000))) == 72
        assert len(list(film.times(fps=10))) == 24
        assert film.issues() == ()
    with Video(shared_data / "video" / "no_face.mp4") as film:  # an edit list hides 3 of its 98 frames
        assert len(list(film.times(fps=1000))) == 95
        assert film.issues() == ()
