"""The built-in plugins: a table of contents, and the only hook implementations of this package."""

from benchmark import hookimpl


@hookimpl
def bench_datasets() -> dict[str, str]:
    """Return the built-in datasets."""
    return {
        "casme2": "plugins.datasets.casme2:Casme2",
        "image_folder": "plugins.datasets.image_folder:ImageFolder",
        "megc2019_flow": "plugins.datasets.megc2019_flow:Megc2019Flow",
        "samm": "plugins.datasets.samm:Samm",
        "smic": "plugins.datasets.smic:Smic",
        "synthetic": "plugins.datasets.synthetic:Synthetic",
        "youtube": "plugins.datasets.youtube:Youtube",
    }


@hookimpl
def bench_preprocessors() -> dict[str, str]:
    """Return the built-in preprocessors."""
    return {
        "action_units": "plugins.preprocessors.action_units:ActionUnits",
        "augment": "plugins.preprocessors.augment:Augment",
        "clahe": "plugins.preprocessors.clahe:Clahe",
        "face": "plugins.preprocessors.face:Face",
        "grayscale": "plugins.preprocessors.grayscale:Grayscale",
        "lbp": "plugins.preprocessors.lbp:Lbp",
        "lbp_top": "plugins.preprocessors.lbp_top:LbpTop",
        "normalise": "plugins.preprocessors.normalise:Normalise",
        "optical_flow": "plugins.preprocessors.optical_flow:OpticalFlow",
        "resize": "plugins.preprocessors.resize:Resize",
        "rgb": "plugins.preprocessors.rgb:Rgb",
        "vgg16": "plugins.preprocessors.vgg16:VGG16",
    }


@hookimpl
def bench_models() -> dict[str, str]:
    """Return the built-in models."""
    return {
        "always_present": "plugins.models.always_present:AlwaysPresent",
        "ann": "plugins.models.ann:ANN",
        "au_cnn": "plugins.models.au_cnn:AUCNN",
        "cnn": "plugins.models.cnn:CNN",
        "cnn_lstm": "plugins.models.cnn_lstm:CNNLSTM",
        "decision_tree": "plugins.models.decision_tree:DecisionTree",
        "hybrid_micronet": "plugins.models.hybrid_micronet:HybridMicroNet",
        "majority": "plugins.models.majority:Majority",
        "off_apexnet": "plugins.models.off_apexnet:OffApexNet",
        "ststnet": "plugins.models.ststnet:STSTNet",
        "svm": "plugins.models.svm:SVM",
    }


@hookimpl
def bench_protocols() -> dict[str, str]:
    """Return the built-in protocols."""
    return {
        "case_study": "plugins.protocols.case_study:CaseStudy",
        "cross_dataset": "plugins.protocols.cross_dataset:CrossDataset",
        "holdout": "plugins.protocols.holdout:Holdout",
        "kfold": "plugins.protocols.kfold:KFold",
        "loso": "plugins.protocols.loso:LOSO",
    }


@hookimpl
def bench_observers() -> dict[str, str]:
    """Return the built-in observers."""
    return {
        "mlflow": "plugins.observers.mlflow:MLflow",
        "tensorboard": "plugins.observers.tensorboard:TensorBoard",
    }
