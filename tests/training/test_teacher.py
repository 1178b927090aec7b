"""A teacher sees photos as it was taught to, once."""

from pathlib import Path

import numpy as np
from PIL import Image
from support.teacher import write_teacher

from training.data.photo import Photo
from training.encoder.teacher import predict_logits


def test_photos_are_judged_by_their_bytes_from_minus_one_to_one_and_only_once(tmp_path: Path) -> None:
    photos = []
    for red in (255, 127, 0):
        path = tmp_path / f"{red}.png"
        Image.new("RGB", (31, 17), (red, 9, 200)).save(path)
        photos.append(Photo(path.name, path, (), str(red)))
    teacher = tmp_path / "teacher.onnx"
    write_teacher(teacher, classes=2)

    logits = predict_logits(teacher, photos, tmp_path / "cache")
    for photo in photos:
        photo.path.unlink()
    again = predict_logits(teacher, photos, tmp_path / "cache")

    np.testing.assert_allclose(logits, np.array([[1, 2], [0, 0], [-127 / 128, -127 / 64]], np.float32), atol=1e-5)
    np.testing.assert_array_equal(again, logits)


def test_another_teacher_is_asked_anew(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
    photos = [Photo("red.png", tmp_path / "red.png", (), "red")]
    for classes in (2, 3):
        write_teacher(tmp_path / "teacher.onnx", classes)
        assert predict_logits(tmp_path / "teacher.onnx", photos, tmp_path).shape == (1, classes)
