"""Data modules: every data set behind one interface, in batches made by one indexing step."""

from surrolab.data.arrays import Arrays
from surrolab.data.batch import Batch
from surrolab.data.batches import IndexBatches
from surrolab.data.delayed_xor import DelayedXor
from surrolab.data.digits import Digits
from surrolab.data.events.own import OwnEvents
from surrolab.data.events.published import PublishedEvents
from surrolab.data.events.saccades import Saccades
from surrolab.data.events.tonic_events import TonicEvents
from surrolab.data.images import Cifar10, IdxImages
from surrolab.data.languages import Languages
from surrolab.data.mnist5k import Mnist5k
from surrolab.data.module import DataModule
from surrolab.data.poisson import Poisson
from surrolab.data.randman import Randman
from surrolab.data.samples import Samples, SampleSet, SampleTable, Splits
from surrolab.data.store_recall import StoreRecall
from surrolab.data.text import Text
from surrolab.data.text_sets import AgNews, Sst2, Trec
from surrolab.data.timeseries import SktimeSeries, TimeSeries, Ucr
from surrolab.data.trajectories import Trajectories
from surrolab.data.yinyang import YinYang

__all__ = [
    "AgNews",
    "Arrays",
    "Batch",
    "Cifar10",
    "DataModule",
    "DelayedXor",
    "Digits",
    "IdxImages",
    "IndexBatches",
    "Languages",
    "Mnist5k",
    "OwnEvents",
    "Poisson",
    "PublishedEvents",
    "Randman",
    "Saccades",
    "SampleSet",
    "SampleTable",
    "Samples",
    "SktimeSeries",
    "Splits",
    "Sst2",
    "StoreRecall",
    "Text",
    "TimeSeries",
    "TonicEvents",
    "Trajectories",
    "Trec",
    "Ucr",
    "YinYang",
]
