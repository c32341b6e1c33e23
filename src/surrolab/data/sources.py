"""Where the sets are published, with the checksums that are published with them."""

from collections.abc import Mapping

from surrolab.data.downloads import Published, Remote

# MD5 as in pytorch/vision, torchvision/datasets/mnist.py.
_IDX = {
    "mnist": (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    "fashion_mnist": (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    "kmnist": (
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
    ),
}
_IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def _idx(name: str, *addresses: str) -> tuple[Remote, ...]:
    return tuple(
        Remote(
            f"{file}.gz",
            tuple(f"{address}{file}.gz" for address in addresses),
            md5=md5,
            instead=(file,),
        )
        for file, md5 in zip(_IDX_FILES, _IDX[name], strict=True)
    )


IDX_SETS: Mapping[str, Published] = {
    "mnist": Published(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "CC BY-SA 3.0 (MNIST)",
        _idx(
            "mnist",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "http://yann.lecun.com/exdb/mnist/",
        ),
    ),
    "fashion_mnist": Published(
        "https://github.com/zalandoresearch/fashion-mnist",
        "MIT (Zalando)",
        _idx("fashion_mnist", "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
    ),
    "kmnist": Published(
        "http://codh.rois.ac.jp/kmnist/",
        "CC BY-SA 4.0 (ROIS-DS Center for Open Data)",
        _idx("kmnist", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
    ),
}

CIFAR10_FOLDER = "cifar-10-batches-bin"
CIFAR10_FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
CIFAR10 = Published(
    "https://www.cs.toronto.edu/~kriz/cifar.html",
    "none is stated",
    (
        Remote(
            "cifar-10-binary.tar.gz",
            ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
            md5="c32a1d4ab5d03f1284b67883e8d87530",
            unpacked=CIFAR10_FOLDER,
            holds=tuple(f"{CIFAR10_FOLDER}/{name}" for name in CIFAR10_FILES),
        ),
    ),
)

# As sktime fetches them (sktime/datasets/_data_io.py).
_UCR = (
    "https://timeseriesclassification.com/aeon-toolkit/",
    "https://github.com/sktime/sktime-datasets/raw/main/TSC/",
)


def ucr(name: str) -> Published:
    """A set of the UCR and UEA archives."""
    return Published(
        "https://timeseriesclassification.com",
        "none is stated",
        (
            Remote(
                f"{name}.zip",
                tuple(f"{address}{name}.zip" for address in _UCR),
                unpacked=name,
                holds=(f"{name}/{name}_TRAIN.ts", f"{name}/{name}_TEST.ts"),
            ),
        ),
    )


# Addresses and MD5 as in pytorch/text, torchtext/datasets/sst2.py and ag_news.py.
SST2 = Published(
    "https://gluebenchmark.com/tasks",
    "none is stated",
    (
        Remote(
            "SST-2.zip",
            ("https://dl.fbaipublicfiles.com/glue/data/SST-2.zip",),
            md5="9f81648d4199384278b86e315dac217c",
            unpacked="SST-2",
            holds=("SST-2/train.tsv", "SST-2/dev.tsv"),
        ),
    ),
)
_AG_NEWS = (
    "https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv/train.csv",
    "https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv/test.csv",
)
AG_NEWS = Published(
    "https://github.com/mhjabreel/CharCnn_Keras/tree/master/data/ag_news_csv",
    "for research, not commercial",
    (
        Remote("train.csv", _AG_NEWS[:1], md5="b1a00f826fdfbd249f79597b59e1dc12"),
        Remote("test.csv", _AG_NEWS[1:], md5="d52ea96a97a2d943681189a97654912d"),
    ),
)

# Sizes and SHA-256 as in the metadata of `trec` in huggingface/datasets.
_TREC = "https://cogcomp.seas.upenn.edu/Data/QA/QC/"
TREC = Published(
    _TREC,
    "none is stated",
    (
        Remote(
            "train_5500.label",
            (f"{_TREC}train_5500.label",),
            size=335_858,
            sha256="9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3",
        ),
        Remote(
            "TREC_10.label",
            (f"{_TREC}TREC_10.label",),
            size=23_354,
            sha256="033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e",
        ),
    ),
)

# The lab publishes each file as .gz and as .zip. Of each set the one whose MD5 (those of the lab's
# md5sums.txt) loaders in public repositories repeat: of ssc, neuromorphs/tonic's hsd.py.
_ZENKE = ("https://zenkelab.org/datasets/", "https://compneuro.net/datasets/")
_SPEECH = {
    "shd_train.h5.gz": "d47c9825dee33347913e8ce0f2be08b0",
    "shd_test.h5.gz": "3062a80ec0c5719404d5b02e166543b1",
    "ssc_train.h5.zip": "d102be95e7144fcc0553d1f45ba94170",
    "ssc_valid.h5.zip": "b4eee3516a4a90dd0c71a6ac23a8ae43",
    "ssc_test.h5.zip": "a35ff1e9cffdd02a20eb850c17c37748",
}


def _speech(name: str) -> Published:
    return Published(
        _ZENKE[0],
        "CC BY 4.0 (Zenke lab)",
        tuple(
            Remote(
                file,
                tuple(f"{address}{file}" for address in _ZENKE),
                md5=md5,
                unpacked=file.rpartition(".")[0],
            )
            for file, md5 in _SPEECH.items()
            if file.startswith(name)
        ),
    )


# Addresses and MD5 as in neuromorphs/tonic, tonic/datasets/nmnist.py and dvsgesture.py. At tonic's
# address Figshare is said to give browsers alone the file; the first is the one other loaders have.
_MENDELEY = "https://data.mendeley.com/public-files/datasets/468j46mzdv/files"
_FIGSHARE = ("https://ndownloader.figshare.com/files/", "https://figshare.com/ndownloader/files/")

# The files stand in the order of the parts: train, validation where there is one, test.
EVENT_SETS: Mapping[str, Published] = {
    "shd": _speech("shd"),
    "ssc": _speech("ssc"),
    "nmnist": Published(
        "https://www.garrickorchard.com/datasets/n-mnist",
        "CC BY-SA 4.0 (see the address)",
        (
            Remote(
                "Train.zip",
                (f"{_MENDELEY}/39c25547-014b-4137-a934-9d29fa53c7a0/file_downloaded",),
                md5="20959b8e626244a1b502305a9e6e2031",
                unpacked="Train",
            ),
            Remote(
                "Test.zip",
                (f"{_MENDELEY}/05a4d654-7e03-4c15-bdfa-9bb2bcbea494/file_downloaded",),
                md5="69ca8762b2fe404d9b9bad1103e97832",
                unpacked="Test",
            ),
        ),
    ),
    "dvs_gesture": Published(
        f"{_FIGSHARE[1]}38022171 (and 38020584 for test)",
        "CC BY 4.0 (IBM)",
        (
            Remote(
                "ibmGestureTrain.tar.gz",
                tuple(f"{address}38022171" for address in _FIGSHARE),
                md5="3a8f0d4120a166bac7591f77409cb105",
                unpacked="ibmGestureTrain",
            ),
            Remote(
                "ibmGestureTest.tar.gz",
                tuple(f"{address}38020584" for address in _FIGSHARE),
                md5="56070e45dadaa85fff82e0fbfbc06de5",
                unpacked="ibmGestureTest",
            ),
        ),
    ),
}
