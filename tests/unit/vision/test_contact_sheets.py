from PIL import Image

from llmgen.vision.contact_sheets import numbered_sheet


def test_pictures_of_any_size_stand_in_rows_with_numbers_above():
    colors = ["red", "green", "blue", "yellow", "black"]
    sheet = numbered_sheet([Image.new("RGB", (40 + 20 * i, 40), color) for i, color in enumerate(colors)])
    assert sheet.width > 4 * 256 and sheet.height > 2 * 256
    assert sheet.getpixel((20, 50)) == (255, 0, 0) and sheet.getpixel((20, 350)) == (0, 0, 0)
    heads = sheet.crop((8, 8, 200, 36)).convert("L")
    assert min(heads.get_flattened_data() if hasattr(heads, "get_flattened_data") else heads.getdata()) < 100
    assert numbered_sheet([Image.new("L", (1, 9))]).width < 300
