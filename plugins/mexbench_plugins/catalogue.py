"""The built-in plugins: a table of contents, and the only hook implementations of this package."""

from mexbench import hookimpl


@hookimpl
def bench_datasets() -> dict[str, str]:
    """Return the built-in datasets."""
    return {
        "casme": "mexbench_plugins.datasets.casme:Casme",
        "casme2": "mexbench_plugins.datasets.casme2:Casme2",
        "casme3": "mexbench_plugins.datasets.casme3:Casme3",
        "casme_squared": "mexbench_plugins.datasets.casme_squared:CasmeSquared",
        "causalnet_maps": "mexbench_plugins.datasets.causalnet_maps:CausalNetMaps",
        "dfme": "mexbench_plugins.datasets.dfme:Dfme",
        "features": "mexbench_plugins.datasets.features:Features",
        "fourdme": "mexbench_plugins.datasets.fourdme:FourDme",
        "generated_flow": "mexbench_plugins.datasets.generated_flow:GeneratedFlow",
        "image_folder": "mexbench_plugins.datasets.image_folder:ImageFolder",
        "megc2019_flow": "mexbench_plugins.datasets.megc2019_flow:Megc2019Flow",
        "mmew": "mexbench_plugins.datasets.mmew:Mmew",
        "samm": "mexbench_plugins.datasets.samm:Samm",
        "samm_long": "mexbench_plugins.datasets.samm_long:SammLong",
        "smic": "mexbench_plugins.datasets.smic:Smic",
        "smic_long": "mexbench_plugins.datasets.smic_long:SmicLong",
        "synthetic": "mexbench_plugins.datasets.synthetic:Synthetic",
        "synthetic_long": "mexbench_plugins.datasets.synthetic_long:SyntheticLong",
        "youtube": "mexbench_plugins.datasets.youtube:Youtube",
    }


@hookimpl
def bench_preprocessors() -> dict[str, str]:
    """Return the built-in preprocessors."""
    return {
        "action_units": "mexbench_plugins.preprocessors.action_units:ActionUnits",
        "augment": "mexbench_plugins.preprocessors.augment:Augment",
        "bi_woof": "mexbench_plugins.preprocessors.bi_woof:BiWoof",
        "clahe": "mexbench_plugins.preprocessors.clahe:Clahe",
        "difference": "mexbench_plugins.preprocessors.difference:Difference",
        "face": "mexbench_plugins.preprocessors.face:Face",
        "frame_flow": "mexbench_plugins.preprocessors.frame_flow:FrameFlow",
        "grayscale": "mexbench_plugins.preprocessors.grayscale:Grayscale",
        "lbp": "mexbench_plugins.preprocessors.lbp:Lbp",
        "lbp_top": "mexbench_plugins.preprocessors.lbp_top:LbpTop",
        "magnification": "mexbench_plugins.preprocessors.magnification:Magnification",
        "normalise": "mexbench_plugins.preprocessors.normalise:Normalise",
        "optical_flow": "mexbench_plugins.preprocessors.optical_flow:OpticalFlow",
        "resize": "mexbench_plugins.preprocessors.resize:Resize",
        "rgb": "mexbench_plugins.preprocessors.rgb:Rgb",
        "temporal_interpolation": "mexbench_plugins.preprocessors.temporal_interpolation:TemporalInterpolation",
        "vgg16": "mexbench_plugins.preprocessors.vgg16:VGG16",
    }


@hookimpl
def bench_models() -> dict[str, str]:
    """Return the built-in models."""
    return {
        "always_present": "mexbench_plugins.models.always_present:AlwaysPresent",
        "ann": "mexbench_plugins.models.ann:ANN",
        "au_cnn": "mexbench_plugins.models.au_cnn:AUCNN",
        "causalnet": "mexbench_plugins.models.causalnet:CausalNet",
        "cnn": "mexbench_plugins.models.cnn:CNN",
        "cnn_lstm": "mexbench_plugins.models.cnn_lstm:CNNLSTM",
        "decision_tree": "mexbench_plugins.models.decision_tree:DecisionTree",
        "dual_inception": "mexbench_plugins.models.dual_inception:DualInception",
        "every_k_frames": "mexbench_plugins.models.every_k_frames:EveryKFrames",
        "facs_rules": "mexbench_plugins.models.facs_rules:FacsRules",
        "frame_difference": "mexbench_plugins.models.frame_difference:FrameDifference",
        "generated_flow_svm": "mexbench_plugins.models.generated_flow_svm:GeneratedFlowSVM",
        "gradient_boosting": "mexbench_plugins.models.gradient_boosting:GradientBoosting",
        "htnet": "mexbench_plugins.models.htnet:HTNet",
        "hybrid_micronet": "mexbench_plugins.models.hybrid_micronet:HybridMicroNet",
        "hybrid_micronet_au": "mexbench_plugins.models.hybrid_micronet_au:HybridMicroNetAU",
        "knn": "mexbench_plugins.models.knn:KNN",
        "lbp_chi2": "mexbench_plugins.models.lbp_chi2:LbpChi2",
        "lda": "mexbench_plugins.models.lda:LDA",
        "logistic_regression": "mexbench_plugins.models.logistic_regression:LogisticRegression",
        "lstm_spotter": "mexbench_plugins.models.lstm_spotter:LstmSpotter",
        "macnn": "mexbench_plugins.models.macnn:MACNN",
        "majority": "mexbench_plugins.models.majority:Majority",
        "mdmd": "mexbench_plugins.models.mdmd:Mdmd",
        "micro_attention": "mexbench_plugins.models.micro_attention:MicroAttention",
        "off_apexnet": "mexbench_plugins.models.off_apexnet:OffApexNet",
        "off_tanet": "mexbench_plugins.models.off_tanet:OffTANet",
        "random_convolutions": "mexbench_plugins.models.random_convolutions:RandomConvolutions",
        "random_intervals": "mexbench_plugins.models.random_intervals:RandomIntervals",
        "rcn_a": "mexbench_plugins.models.rcn_a:RCNA",
        "softnet": "mexbench_plugins.models.softnet:Softnet",
        "ststnet": "mexbench_plugins.models.ststnet:STSTNet",
        "svm": "mexbench_plugins.models.svm:SVM",
    }


@hookimpl
def bench_protocols() -> dict[str, str]:
    """Return the built-in protocols."""
    return {
        "case_study": "mexbench_plugins.protocols.case_study:CaseStudy",
        "cross_dataset": "mexbench_plugins.protocols.cross_dataset:CrossDataset",
        "fixed_split": "mexbench_plugins.protocols.fixed_split:FixedSplit",
        "holdout": "mexbench_plugins.protocols.holdout:Holdout",
        "kfold": "mexbench_plugins.protocols.kfold:KFold",
        "loso": "mexbench_plugins.protocols.loso:LOSO",
    }


@hookimpl
def bench_observers() -> dict[str, str]:
    """Return the built-in observers."""
    return {
        "mlflow": "mexbench_plugins.observers.mlflow:MLflow",
        "tensorboard": "mexbench_plugins.observers.tensorboard:TensorBoard",
    }


@hookimpl
def bench_commands() -> dict[str, tuple[str, str]]:
    """Return the built-in commands that belong to a plugin."""
    return {"synth": ("mexbench_plugins.synth.command", "make a micro-expression clip from one still face")}
