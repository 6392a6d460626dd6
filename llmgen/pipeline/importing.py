"""Files of other programs to artifacts: what `import` does."""

from dataclasses import dataclass
from pathlib import Path

from llmgen.artifacts import Kind, Record
from llmgen.artifacts.files import write_atomic
from llmgen.artifacts.io import parse_json, pretty_json, read_bytes
from llmgen.engine.local import Progress
from llmgen.engine.pictures import picture_store
from llmgen.errors import InputError
from llmgen.formats.instancediffusion import BboxFormat, read_instancediffusion_files
from llmgen.formats.lmd import read_lmd_file
from llmgen.formats.pictures import read_pictures
from llmgen.formats.record import read_record_file
from llmgen.formats.sld import is_sld, read_sld
from llmgen.formats.vgg import VggAnnotations, VggOptions, read_vgg
from llmgen.formats.vqai import read_annotations, read_categories
from llmgen.formats.vqai_folders import read_answer_folders
from llmgen.pipeline.incoming import brought
from llmgen.pipeline.output import Output
from llmgen.registry import unknown

DIALECTS = ("instancediffusion", "lmd", "png", "record", "sld", "vqai")
#: What becomes annotations to train on, not records.
ANNOTATIONS = ("vgg",)


@dataclass(frozen=True)
class Import:
    """One file to take over."""

    dialect: str
    """One of `DIALECTS`."""
    source: str = "-"
    """Path, or `-` for stdin; `instancediffusion` also takes a folder, `png` a picture or a folder of them, and `vqai` the folder of
    folders that the original samples into."""
    output: Path | None = None
    """File to write, or None to hand the records back only."""
    prompts: Path | None = None
    """`lmd`: a list of prompts that orders a cache."""
    images_from: Path | None = None
    """`sld`, `vqai`: folder of the pictures. `record`: of the candidates, by prompt and seed."""
    categories: Path | None = None
    """`vqai`: the category file."""
    bbox_format: BboxFormat = "auto"
    """`instancediffusion`: what the numbers of its boxes are."""
    seed: int | None = None
    """Seed of every record, so that rounds of one picture are drawn from one noise."""
    force: bool = False


@dataclass(frozen=True)
class ImportResult:
    """What was taken over."""

    kind: Kind
    records: tuple[Record, ...]
    """Those that did not fit carry `error`."""
    dropped: tuple[str, ...]
    """Lines about entries that could not even be named."""
    notes: tuple[str, ...]
    """Lines about what was mended."""
    counts: str = ""
    """Words on how much of what there is, where a reader counts."""


def import_foreign(request: Import) -> ImportResult:
    """Read a foreign file and write it as an artifact.

    Args:
        request: What to read, and where to write it.

    Raises:
        UnknownNameError: If there is no such dialect.
        InputError: If nothing usable can be read.
        OutputError: If the output exists or cannot be written.
    """
    if request.dialect not in DIALECTS:
        raise unknown("format to import", request.dialect, (*DIALECTS, *ANNOTATIONS))
    if request.prompts is not None and request.dialect != "lmd":
        raise InputError("--prompts orders a cache of lmd; leave it out")
    if request.images_from is not None and request.dialect not in ("sld", "record", "vqai"):
        raise InputError("--images-from is for the pictures of sld and vqai and the candidates of record; leave it out")
    if request.categories is not None and request.dialect != "vqai":
        raise InputError("--categories go with the annotations of vqai; leave it out")
    if request.bbox_format != "auto" and request.dialect != "instancediffusion":
        raise InputError("--bbox-format is for the boxes of instancediffusion; leave it out")
    output = Output(request.output, force=request.force)
    output.check()
    counts = ""
    if request.dialect == "lmd":
        found, kind, base = read_lmd_file(request.source, request.prompts)
    elif request.dialect == "record":
        found, kind, base = read_record_file(request.source, request.images_from)
    elif request.dialect == "instancediffusion":
        (found, base), kind = read_instancediffusion_files(request.source, request.bbox_format), "layouts"
    elif request.dialect == "png":
        (found, base), kind = read_pictures(request.source), "images"
    elif request.dialect == "vqai":
        if request.source != "-" and Path(request.source).is_dir():
            lists = read_categories(request.categories) if request.categories is not None else {}
            base, kind = Path(request.source), "images"
            found = read_answer_folders(base, lists)
        else:
            file = read_annotations(request.source, request.images_from, request.categories)
            found, kind, base, counts = file.found, "prompts", file.base, file.counts
    else:
        name, folder, data = read_bytes(request.source)
        value = parse_json(data, name)
        if not is_sld(value):
            raise InputError(f"{name}: no tasks of SLD: expected a list of objects with `input_fname` and `prompt`")
        found, kind, base = read_sld(value, name, folder, request.images_from), "images", request.images_from or folder
    read = found.artifact(kind, base)
    records = tuple(brought(read, picture_store(request.output, None), "import", Progress().problem))
    if request.seed is not None:
        records = tuple(record.grown(seed=request.seed) for record in records)
    output.write(kind, records)
    return ImportResult(kind, records, read.dropped, tuple(found.notes), counts)


def import_annotations(
    source: str,
    output: Path | None,
    pictures: Path | None,
    options: VggOptions,
    force: bool,
) -> VggAnnotations:
    """Read a file of the VGG annotator and write it as COCO instance annotations.

    Args:
        source: Path, or `-` for stdin.
        output: File to write, or None to hand the annotations back only.
        pictures: Folder of the pictures; the file's own by default.
        options: What the file does not say.
        force: Whether to replace a file.

    Raises:
        InputError: If nothing usable can be read.
        OutputError: If the output exists or cannot be written.
    """
    target = Output(output, force=force)
    target.check()
    name, folder, data = read_bytes(source)
    found = read_vgg(parse_json(data, name), name, pictures or folder, options)
    if output is not None:
        write_atomic(output, pretty_json(found.dataset).encode())
    return found
