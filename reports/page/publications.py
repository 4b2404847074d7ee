"""The publications behind methods, fusions, recipes, metrics, tests and data sets, by their registered names.

Only publications whose entry was checked are here; docstrings name further sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .escaping import latex_text

Kind = Literal["article", "inproceedings", "mastersthesis", "misc"]
WHERE = {"article": "journal", "inproceedings": "booktitle", "mastersthesis": "school", "misc": "howpublished"}
"""What BibTeX calls the place of each kind."""
TMI = "IEEE Transactions on Medical Imaging"
MICCAI = "Medical Image Computing and Computer-Assisted Intervention (MICCAI)"
NEURIPS = "Advances in Neural Information Processing Systems"


@dataclass(frozen=True)
class Publication:
    """A publication; ``authors`` as ``Family, Given`` each, ``where`` the journal, proceedings or school."""

    kind: Kind
    authors: Sequence[str]
    year: int
    title: str
    where: str
    volume: str = ""
    number: str = ""
    pages: str = ""
    doi: str = ""

    @property
    def words(self) -> str:
        """As a list of references has it."""
        family = [author.partition(",")[0] for author in self.authors]
        who = family[0] if len(family) == 1 else f"{', '.join(family[:-1])} and {family[-1]}"
        issue = f" {self.volume}" + (f"({self.number})" if self.number else "") if self.volume else ""
        pages = f"{':' if issue else ', '}{self.pages}" if self.pages else ""
        return f"{who} ({self.year}). {self.title}. {self.where}{issue}{pages}."

    def bibtex(self, key: str) -> str:
        """As BibTeX has it; braces keep the capitals of the title."""
        where = {"article": "journal", "inproceedings": "booktitle", "mastersthesis": "school", "misc": "howpublished"}[
            self.kind
        ]
        fields = {
            "author": " and ".join(map(latex_text, self.authors)),
            "title": f"{{{latex_text(self.title)}}}",
            "year": str(self.year),
            where: latex_text(self.where),
            "volume": self.volume,
            "number": self.number,
            "pages": self.pages.replace("–", "--"),
            "doi": self.doi,
        }
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
        return "\n".join([f"@{self.kind}{{{key},", *lines, "}"])


PUBLICATIONS: Mapping[str, Publication] = {
    "akhondiasl2014": Publication(
        "article", ("Akhondi-Asl, Alireza", "Hoyte, Lennox", "Lockhart, Mark E.", "Warfield, Simon K."), 2014,
        "A logarithmic opinion pool based STAPLE algorithm for the fusion of segmentations with associated reliability weights",
        TMI, "33", "10", "1997–2009",
    ),
    "albarqouni2016": Publication(
        "article", (
            "Albarqouni, Shadi", "Baur, Christoph", "Achilles, Felix", "Belagiannis, Vasileios", "Demirci, Stefanie",
            "Navab, Nassir",
        ), 2016, "AggNet: Deep learning from crowds for mitosis detection in breast cancer histology images", TMI, "35", "5",
        "1313–1321", "10.1109/TMI.2016.2528120",
    ),
    "almazroa2018": Publication(
        "inproceedings", (
            "Almazroa, Ahmed", "Alodhayb, Sami", "Osman, Essameldin", "others",
        ), 2018, "Retinal fundus images for glaucoma analysis: the RIGA dataset",
        "Medical Imaging 2018: Imaging Informatics for Healthcare, Research, and Applications, Proceedings of SPIE", "10579",
        pages="105790B", doi="10.1117/12.2293584",
    ),
    "armato2011": Publication(
        "article", ("Armato, Samuel G., III", "others"), 2011,
        "The Lung Image Database Consortium (LIDC) and Image Database Resource Initiative (IDRI): a completed reference "
        "database of lung nodules on CT scans", "Medical Physics", "38", "2", "915–931", "10.1118/1.3528204",
    ),
    "asman2011": Publication(
        "article", ("Asman, Andrew J.", "Landman, Bennett A."), 2011,
        "Robust statistical label fusion through consensus level, labeler accuracy, and truth estimation (COLLATE)",
        TMI, "30", "10", "1779–1794",
    ),
    "asman2012": Publication(
        "article", ("Asman, Andrew J.", "Landman, Bennett A."), 2012,
        "Formulating spatially varying performance in the statistical fusion framework", TMI, "31", "6", "1326–1336",
    ),
    "bakas2017": Publication(
        "article", ("Bakas, Spyridon", "others"), 2017,
        "Advancing The Cancer Genome Atlas glioma MRI collections with expert segmentation labels and radiomic features",
        "Scientific Data", "4", pages="170117", doi="10.1038/sdata.2017.117",
    ),
    "baumgartner2019": Publication(
        "inproceedings", (
            "Baumgartner, C. F.", "Tezcan, K. C.", "Chaitanya, K.", "Hötker, A. M.", "Muehlematter, U. J.", "Schawkat, K.",
            "Becker, A. S.", "Donati, O.", "Konukoglu, E.",
        ), 2019, "PHiSeg: Capturing uncertainty in medical image segmentation", MICCAI, pages="119–127",
    ),
    "brier1950": Publication(
        "article", ("Brier, Glenn W.",), 1950, "Verification of forecasts expressed in terms of probability",
        "Monthly Weather Review", "78", "1", "1–3",
    ),
    "cao2019": Publication(
        "inproceedings", ("Cao, Peng", "Xu, Yilun", "Kong, Yuqing", "Wang, Yizhou"), 2019,
        "Max-MIG: an information theoretic approach for joint learning from crowds",
        "International Conference on Learning Representations (ICLR)",
    ),
    "carass2017": Publication(
        "article", ("Carass, A.", "others"), 2017,
        "Longitudinal multiple sclerosis lesion segmentation: resource and challenge", "NeuroImage", "148", pages="77–102",
    ),
    "commowick2010": Publication(
        "inproceedings", ("Commowick, Olivier", "Warfield, Simon K."), 2010,
        "Incorporating priors on expert performance parameters for segmentation validation and label fusion: a maximum a "
        "posteriori STAPLE", MICCAI,
    ),
    "commowick2021": Publication(
        "article", ("Commowick, Olivier", "others"), 2021,
        "Multiple sclerosis lesions segmentation from multiple experts: the MICCAI 2016 challenge dataset", "NeuroImage",
        "244", pages="118589", doi="10.1016/j.neuroimage.2021.118589",
    ),
    "dawid1979": Publication(
        "article", ("Dawid, A. P.", "Skene, A. M."), 1979,
        "Maximum likelihood estimation of observer error-rates using the EM algorithm",
        "Journal of the Royal Statistical Society. Series C (Applied Statistics)", "28", "1", "20–28", "10.2307/2346806",
    ),
    "dice1945": Publication(
        "article", ("Dice, Lee R.",), 1945, "Measures of the amount of ecologic association between species",
        "Ecology", "26", "3", "297–302", "10.2307/1932409",
    ),
    "epstein1969": Publication(
        "article", ("Epstein, Edward S.",), 1969, "A scoring system for probability forecasts of ranked categories",
        "Journal of Applied Meteorology", "8", "6", "985–987",
    ),
    "fang2022": Publication(
        "misc", ("Fang, Huihui", "Li, Fei", "Wu, Junde", "others"), 2022,
        "REFUGE2 challenge: a treasure trove for multi-dimension analysis and evaluation in glaucoma screening",
        "arXiv:2202.08994",
    ),
    "gneiting2007": Publication(
        "article", ("Gneiting, Tilmann", "Raftery, Adrian E."), 2007,
        "Strictly proper scoring rules, prediction, and estimation", "Journal of the American Statistical Association",
        "102", "477", "359–378", doi="10.1198/016214506000001437",
    ),
    "graham2021": Publication(
        "inproceedings", ("Graham, S.", "Jahanifar, M.", "Azam, A.", "others"), 2021,
        "Lizard: A large-scale dataset for colonic nuclear instance segmentation and classification",
        "IEEE/CVF International Conference on Computer Vision Workshops (ICCVW)",
    ),
    "gros2021": Publication(
        "article", ("Gros, C.", "Lemay, A.", "Cohen-Adad, J."), 2021,
        "SoftSeg: Advantages of soft versus binary training for image segmentation", "Medical Image Analysis", "71",
        pages="102038",
    ),
    "guan2018": Publication(
        "inproceedings", ("Guan, Melody Y.", "Gulshan, Varun", "Dai, Andrew M.", "Hinton, Geoffrey E."), 2018,
        "Who said what: modeling individual labelers improves classification", "AAAI Conference on Artificial Intelligence",
        "32",
    ),
    "gurari2015": Publication(
        "inproceedings", ("Gurari, D.", "others"), 2015,
        "How to collect segmentations for biomedical images? A benchmark evaluating the performance of experts, crowdsourced "
        "non-experts, and algorithms", "IEEE Winter Conference on Applications of Computer Vision (WACV)",
    ),
    "hancock2016": Publication(
        "article", ("Hancock, Matthew C.", "Magnan, Jerry F."), 2016,
        "Lung nodule malignancy classification using only radiologist-quantified image features as inputs to statistical "
        "learning algorithms: probing the Lung Image Database Consortium dataset with two statistical learning methods",
        "Journal of Medical Imaging", "3", "4", "044504", "10.1117/1.JMI.3.4.044504",
    ),
    "holm1979": Publication(
        "article", ("Holm, S.",), 1979, "A simple sequentially rejective multiple test procedure",
        "Scandinavian Journal of Statistics", "6", pages="65–70",
    ),
    "huttenlocher1993": Publication(
        "article", ("Huttenlocher, D. P.", "Klanderman, G. A.", "Rucklidge, W. J."), 1993,
        "Comparing images using the Hausdorff distance", "IEEE Transactions on Pattern Analysis and Machine Intelligence",
        "15", "9", "850–863", "10.1109/34.232073",
    ),
    "jensen2019": Publication(
        "inproceedings", ("Jensen, M. H.", "Jørgensen, D. R.", "Jalaboi, R.", "Hansen, M. E.", "Olsen, M. A."), 2019,
        "Improving uncertainty estimation in convolutional neural networks using inter-rater agreement", MICCAI,
        pages="540–548",
    ),
    "ji2021": Publication(
        "inproceedings", ("Ji, Wei", "Yu, Shuang", "Wu, Junde", "others"), 2021,
        "Learning calibrated medical image segmentation via multi-rater agreement modeling",
        "IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)",
    ),
    "kats2019": Publication(
        "inproceedings", ("Kats, Eytan", "Goldberger, Jacob", "Greenspan, Hayit"), 2019,
        "A soft STAPLE algorithm combined with anatomical knowledge", MICCAI, pages="510–517",
    ),
    "kohl2018": Publication(
        "inproceedings", (
            "Kohl, S.", "Romera-Paredes, B.", "Meyer, C.", "De Fauw, J.", "Ledsam, J. R.", "Maier-Hein, K.", "Eslami, S.",
            "Jimenez Rezende, D.", "Ronneberger, O.",
        ), 2018, "A probabilistic U-Net for segmentation of ambiguous images", NEURIPS, "31",
    ),
    "kohl2019": Publication(
        "misc", (
            "Kohl, S. A. A.", "Romera-Paredes, B.", "Maier-Hein, K. H.", "Rezende, D. J.", "Eslami, S. M. A.", "Kohli, P.",
            "Zisserman, A.", "Ronneberger, O.",
        ), 2019, "A hierarchical probabilistic U-Net for modeling multi-scale ambiguities", "arXiv:1905.13077",
    ),
    "kovalyk2022": Publication(
        "article", (
            "Kovalyk, Oleksandr", "Morales-Sánchez, Juan", "Verdú-Monedero, Rafael", "Sellés-Navarro, Inmaculada",
            "Palazón-Cabanes, Ana", "Sancho-Gómez, José-Luis",
        ), 2022,
        "PAPILA: Dataset with fundus images and clinical data of both eyes of the same patient for glaucoma assessment",
        "Scientific Data", "9", pages="291", doi="10.1038/s41597-022-01388-1",
    ),
    "kumar2023": Publication(
        "article", ("Kumar, J. R. Harish", "Seelamantula, Chandra Sekhar", "Gagan, J. H.", "others"), 2023,
        "Chákṣu: A glaucoma specific fundus image database", "Scientific Data", "10", pages="70",
        doi="10.1038/s41597-023-01943-4",
    ),
    "lam1997": Publication(
        "article", ("Lam, L.", "Suen, C. Y."), 1997,
        "Application of majority voting to pattern recognition: an analysis of its behavior and performance",
        "IEEE Transactions on Systems, Man, and Cybernetics – Part A: Systems and Humans", "27", "5", "553–568",
        "10.1109/3468.618255",
    ),
    "langerak2010": Publication(
        "article", ("Langerak, T. R.", "van der Heide, U. A.", "Kotte, A. N. T. J.", "others"), 2010,
        "Label fusion in atlas-based segmentation using a selective and iterative method for performance level estimation "
        "(SIMPLE)", TMI, "29", "12", "2000–2008",
    ),
    "lecun1998": Publication(
        "article", ("LeCun, Y.", "Bottou, L.", "Bengio, Y.", "Haffner, P."), 1998,
        "Gradient-based learning applied to document recognition", "Proceedings of the IEEE", "86", "11", "2278–2324",
    ),
    "lemay2022": Publication(
        "misc", ("Lemay, A.", "Gros, C.", "Cohen-Adad, J."), 2022,
        "Label fusion and training methods for reliable representation of inter-rater uncertainty", "arXiv:2202.07550",
    ),
    "lemay2022thesis": Publication(
        "mastersthesis", ("Lemay, Andréanne",), 2022,
        "Impact of soft segmentation training on medical image segmentation and uncertainty representation",
        "Polytechnique Montréal",
    ),
    "lopezperez2023": Publication(
        "inproceedings",
        ("López-Pérez, M.", "Morales-Álvarez, P.", "Cooper, L. A. D.", "Molina, R.", "Katsaggelos, A. K."), 2023,
        "Crowdsourcing segmentation of histopathological images using annotations provided by medical students",
        "Artificial Intelligence in Medicine", pages="245–249",
    ),
    "lopezperez2024": Publication(
        "article", (
            "López-Pérez, M.", "Morales-Álvarez, P.", "Cooper, L. A.", "Felicelli, C.", "Goldstein, J.", "Vadasz, B.",
            "Molina, R.", "Katsaggelos, A. K.",
        ), 2024, "Learning from crowds for automated histopathological image segmentation",
        "Computerized Medical Imaging and Graphics", "112", pages="102327", doi="10.1016/j.compmedimag.2024.102327",
    ),
    "lotero2025": Publication(
        "mastersthesis", ("Lotero Londoño, Brandon",), 2025,
        "Medical image segmentation in a multiple labelers context: Application to the study of histopathology",
        "Universidad Nacional de Colombia",
    ),
    "lucchi2013": Publication(
        "inproceedings", ("Lucchi, A.", "Li, Y.", "Fua, P."), 2013,
        "Learning for structured prediction using approximate subgradient descent with working sets",
        "IEEE Conference on Computer Vision and Pattern Recognition (CVPR)",
    ),
    "menze2015": Publication(
        "article", ("Menze, Bjoern H.", "others"), 2015,
        "The multimodal brain tumor image segmentation benchmark (BRATS)", TMI, "34", "10", "1993–2024",
        "10.1109/TMI.2014.2377694",
    ),
    "nadeau2003": Publication(
        "article", ("Nadeau, C.", "Bengio, Y."), 2003, "Inference for the generalization error", "Machine Learning",
        "52", "3", "239–281", "10.1023/A:1024068626366",
    ),
    "naeini2015": Publication(
        "inproceedings", ("Naeini, M. P.", "Cooper, G.", "Hauskrecht, M."), 2015,
        "Obtaining well calibrated probabilities using Bayesian binning", "AAAI Conference on Artificial Intelligence",
    ),
    "orlando2020": Publication(
        "article", ("Orlando, José Ignacio", "others"), 2020,
        "REFUGE Challenge: a unified framework for evaluating automated methods for glaucoma assessment from fundus "
        "photographs",
        "Medical Image Analysis", "59", pages="101570",
    ),
    "prados2017": Publication(
        "article", ("Prados, Ferran", "others"), 2017,
        "Spinal cord grey matter segmentation challenge", "NeuroImage", "152", pages="312–329",
    ),
    "rahman2023": Publication(
        "inproceedings", ("Rahman, A.", "Valanarasu, J. M. J.", "Hacihaliloglu, I.", "Patel, V. M."), 2023,
        "Ambiguous medical image segmentation using diffusion models",
        "IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)", pages="11536–11546",
    ),
    "rieramarin2025": Publication(
        "article", ("Riera-Marín, Meritxell", "others"), 2025,
        "Calibration and Uncertainty for multiRater Volume Assessment in multiorgan Segmentation (CURVAS) challenge results",
        "Computers in Biology and Medicine", doi="10.1016/j.compbiomed.2025.111024",
    ),
    "rodrigues2018": Publication(
        "inproceedings", ("Rodrigues, F.", "Pereira, F. C."), 2018, "Deep learning from crowds",
        "AAAI Conference on Artificial Intelligence",
    ),
    "ronneberger2015": Publication(
        "inproceedings", ("Ronneberger, O.", "Fischer, P.", "Brox, T."), 2015,
        "U-Net: Convolutional networks for biomedical image segmentation", MICCAI, pages="234–241",
    ),
    "schmidt2023": Publication(
        "inproceedings", ("Schmidt, A.", "Morales-Álvarez, P.", "Molina, R."), 2023,
        "Probabilistic modeling of inter- and intra-observer variability in medical image segmentation",
        "IEEE/CVF International Conference on Computer Vision", pages="21097–21106",
    ),
    "segebarth2020": Publication(
        "article", ("Segebarth, D.", "others"), 2020,
        "On the objectivity, reliability, and validity of deep learning enabled bioimage analyses", "eLife", "9",
        pages="e59780",
    ),
    "svoboda2009": Publication(
        "article", ("Svoboda, D.", "Kozubek, M.", "Stejskal, S."), 2009,
        "Generation of digital phantoms of cell nuclei and simulation of image formation in 3D image cytometry",
        "Cytometry Part A", "75A", "6", "494–509", "10.1002/cyto.a.20714",
    ),
    "tanno2019": Publication(
        "misc", ("Tanno, Ryutaro", "Saeedi, Ardavan", "Sankaranarayanan, Swami", "Alexander, Daniel C.", "Silberman, Nathan"),
        2019, "Learning from noisy labels by regularized estimation of annotator confusion", "arXiv:1902.03680",
    ),
    "vadineanu2024": Publication(
        "article", ("Vădineanu, Ş.", "Pelt, D. M.", "Dzyubachyk, O.", "Batenburg, K. J."), 2024,
        "Reducing manual annotation costs for cell segmentation by upgrading low-quality annotations", "Journal of Imaging",
        "10", "7", "172",
    ),
    "vadineanu2025": Publication(
        "misc", ("Vadineanu, S.",), 2025, "Deep learning solutions for domain-specific image segmentation",
        "Doctoral thesis, Leiden University, hdl.handle.net/1887/4266937",
    ),
    "wang2019": Publication(
        "inproceedings", ("Wang, X.", "Bo, L.", "Fuxin, L."), 2019,
        "Adaptive wing loss for robust face alignment via heatmap regression",
        "IEEE/CVF International Conference on Computer Vision", pages="6971–6981",
    ),
    "wang2023": Publication(
        "inproceedings", (
            "Wang, Zifu", "Popordanoska, Teodora", "Bertels, Jeroen", "Lemmens, Robin", "Blaschko, Matthew B.",
        ), 2023, "Dice semimetric losses: optimizing the Dice score with soft labels", MICCAI,
    ),
    "warfield2004": Publication(
        "article", ("Warfield, Simon K.", "Zou, Kelly H.", "Wells, William M."), 2004,
        "Simultaneous truth and performance level estimation (STAPLE): an algorithm for the validation of image segmentation",
        TMI, "23", "7", "903–921",
    ),
    "wu2022": Publication(
        "misc", (
            "Wu, J.", "Fang, H.", "Xiong, H.", "Duan, L.", "Tan, M.", "Yang, W.", "Liu, H.", "Xu, Y.",
        ), 2022, "Calibrate the inter-observer segmentation uncertainty via diagnosis-first principle", "arXiv:2208.03016",
    ),
    "zhang2018": Publication(
        "inproceedings", ("Zhang, Zhilu", "Sabuncu, Mert R."), 2018,
        "Generalized cross entropy loss for training deep neural networks with noisy labels", NEURIPS,
    ),
    "zhang2020": Publication(
        "inproceedings", (
            "Zhang, L.", "Tanno, R.", "Bronik, K.", "Jin, C.", "Nachev, P.", "Barkhof, F.", "Ciccarelli, O.",
            "Alexander, D. C.",
        ), 2020, "Learning to segment when experts disagree", MICCAI, pages="179–190",
    ),
    "zhang2020neurips": Publication(
        "inproceedings", (
            "Zhang, Le", "Tanno, Ryutaro", "Xu, Mou-Cheng", "Jin, Chen", "Jacob, Joseph", "Ciccarelli, Olga",
            "Barkhof, Frederik", "Alexander, Daniel C.",
        ), 2020, "Disentangling human error from ground truth in segmentation of medical images", NEURIPS, "33",
        pages="15750–15762",
    ),
}  # fmt: skip
"""Every publication by its key, which is also its key in BibTeX."""

METHODS: Mapping[str, Sequence[str]] = {
    "aggnet": ("albarqouni2016",),
    "confusion-network": ("zhang2020", "zhang2020neurips", "tanno2019"),
    "cr-network": ("lopezperez2023", "lopezperez2024"),
    "crowd-layer": ("rodrigues2018",),
    "confident-learning": ("vadineanu2025",),
    "diagnosed": ("wu2022",),
    "gce": ("zhang2018",),
    "intensity-threshold": ("vadineanu2025",),
    "max-mig": ("cao2019",),
    "mrnet": ("ji2021",),
    "multi-head": ("guan2018",),
    "oracle-confusion-network": ("zhang2020",),
    "ordinal-agreement": ("epstein1969",),
    "partial-labelling": ("vadineanu2025",),
    "phiseg": ("baumgartner2019",),
    "pionono": ("schmidt2023",),
    "probabilistic-u-net": ("kohl2018",),
    "random-rater": ("jensen2019",),
    "separate-networks": ("zhang2020",),
    "tgce": ("lotero2025", "zhang2018"),
    "upgrade": ("vadineanu2025", "vadineanu2024"),
    "wdnet": ("guan2018",),
}
FUSIONS: Mapping[str, Sequence[str]] = {
    "contested-staple": ("asman2011",),
    "log-opinion-pool-staple": ("akhondiasl2014",),
    "majority-vote": ("lam1997",),
    "map-staple": ("commowick2010",),
    "one-coin-staple": ("dawid1979",),
    "simple": ("langerak2010",),
    "soft-average": ("lemay2022",),
    "soft-staple": ("kats2019",),
    "spatial-staple": ("asman2012",),
    "staple": ("warfield2004", "dawid1979"),
}
CASE_FUSIONS: Mapping[str, Sequence[str]] = {"diagnosis-first": ("wu2022",)}
RECIPES: Mapping[str, Sequence[str]] = {
    "composed": ("lemay2022thesis", "gros2021", "wang2019", "wang2023"),
    "conventional": ("lemay2022thesis",),
    "softseg": ("gros2021", "wang2019"),
}
BACKBONES: Mapping[str, Sequence[str]] = {"unet": ("ronneberger2015",)}
REFERENCES: Mapping[str, Sequence[str]] = {
    "majority": FUSIONS["majority-vote"],
    "staple": FUSIONS["staple"],
    "soft average": FUSIONS["soft-average"],
}
METRICS: Mapping[str, Sequence[str]] = {
    "dice": ("dice1945",),
    "hd95": ("huttenlocher1993",),
    "brier": ("brier1950",),
    "brier foreground": ("brier1950",),
    "brier by class": ("brier1950", "lemay2022thesis"),
    "expected calibration error": ("naeini2015",),
    "entropy error": ("lemay2022",),
    "single-term entropy": ("lemay2022thesis",),
    "single-term entropy error": ("lemay2022thesis",),
    "generalised energy distance": ("kohl2018",),
    "dice max": ("rahman2023",),
    "matched iou": ("kohl2019",),
    "sample ncc": ("baumgartner2019",),
    "volume crps": ("rieramarin2025", "gneiting2007"),
    "soft dice over thresholds": ("wu2022",),
    "confusion rmse": ("zhang2020",),
}
DATASETS: Mapping[str, Sequence[str]] = {
    "brats": ("menze2015", "bakas2017"),
    "bubil": ("gurari2015",),
    "cbia-cells": ("svoboda2009",),
    "chaksu": ("kumar2023",),
    "deepflash": ("segebarth2020",),
    "epfl-mitochondria": ("lucchi2013",),
    "isbi2015": ("carass2017",),
    "lidc": ("armato2011", "hancock2016"),
    "lizard": ("graham2021",),
    "mnist": ("lecun1998",),
    "msseg2016": ("commowick2021",),
    "papila": ("kovalyk2022",),
    "refuge2": ("orlando2020", "fang2022"),
    "riga": ("almazroa2018",),
    "scgm": ("prados2017",),
}
TESTS: Sequence[str] = ("holm1979", "nadeau2003")
"""Of the comparison itself."""
