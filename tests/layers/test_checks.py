"""Every check of spec 2.3 and every message of 2.8: a good layer, one change, the line that must come out."""

from __future__ import annotations

import pytest

from convnet_py.layers.base import type_names

WEIGHTS = "epsW=0.1 epsB=0.2 momW=0.9 momB=0.8"
#: a good layer ``x`` of each type: definition, parameters, and whether something must use it.
GOOD = {
    "data": ("type=data dataIdx=0", None, True),
    "conv": ("type=conv inputs=img gpu=0 channels=3 filters=16 filterSize=3 initW=0.1 partialSum=6", WEIGHTS, True),
    "conv2": (
        "type=conv inputs=maps,img gpu=0 channels=16,3 filters=16,16 filterSize=3,3 initW=0.1,0.1 partialSum=0",
        "epsW=1,1 epsB=1 momW=0,0 momB=0",
        True,
    ),
    "groups": (
        "type=conv inputs=maps gpu=0 channels=16 filters=16 groups=4 filterSize=3 initW=0.1 partialSum=0",
        WEIGHTS,
        True,
    ),
    "sparse": (
        "type=conv inputs=maps gpu=0 channels=16 filters=16 groups=4 randSparse=1 filterChannels=8 filterSize=3 "
        "initW=0.1 partialSum=0",
        WEIGHTS,
        True,
    ),
    "local": ("type=local inputs=img gpu=0 channels=3 filters=16 filterSize=3 initW=0.1", WEIGHTS, True),
    "fc": ("type=fc inputs=img gpu=0 outputs=5 initW=0.1", WEIGHTS, True),
    "treefc": ("type=treefc inputs=img gpu=0 initW=0.1", WEIGHTS, True),
    "softmax": ("type=softmax inputs=img gpu=0", None, True),
    "neuron": ("type=neuron inputs=img gpu=0 neuron=relu", None, True),
    "eltsum": ("type=eltsum inputs=img,img gpu=0 coeffs=1,-1", None, True),
    "eltmax": ("type=eltmax inputs=img,img gpu=0", None, True),
    "concat": ("type=concat inputs=img,labels gpu=0", None, True),
    "pool": ("type=pool inputs=maps gpu=0 channels=16 sizeX=3 stride=2 start=0 outputsX=0 pool=max", None, True),
    "poolr": ("type=pool inputs=maps gpu=0 channels=16 sizeX=3 stride=2 pool=rand", "doMax=0", True),
    "rnorm": ("type=rnorm inputs=maps gpu=0 channels=16 size=5", "scale=1 pow=0.5", True),
    "cnorm": ("type=cnorm inputs=maps gpu=0 channels=16 size=5", "scale=1 pow=0.5", True),
    "cmrnorm": ("type=cmrnorm inputs=maps gpu=0 channels=16 size=5 blocked=0", "scale=1 pow=0.5 minDiv=2", True),
    "nailbed": ("type=nailbed inputs=maps gpu=0 channels=16 stride=2", None, True),
    "blur": ("type=blur inputs=maps gpu=0 channels=16 filterSize=5 stdev=1.5", None, True),
    "href": ("type=href inputs=img gpu=0 channels=3", None, True),
    "resize": ("type=resize inputs=img gpu=0 channels=3 scale=1.5", None, True),
    "rscale": ("type=rscale inputs=img gpu=0 channels=3 maxScale=2 tgtSize=6", None, True),
    "rgb2yuv": ("type=rgb2yuv inputs=img gpu=0", None, True),
    "rgb2lab": ("type=rgb2lab inputs=img gpu=0 center=0", None, True),
    "hs": ("type=hs inputs=img gpu=0 keep=0.5", "enable=1", True),
    "cost.logreg": ("type=cost.logreg inputs=labels,soft gpu=0", "coeff=1 topk=5", False),
    "cost.crossent": ("type=cost.crossent inputs=targets,soft gpu=0", "coeff=1", False),
    "cost.crossent2": ("type=cost.crossent2 inputs=targets,logistic gpu=0", "coeff=1", False),
    "cost.rflickr": ("type=cost.rflickr inputs=targets,logistic gpu=0", "coeff=1", False),
    "cost.msm": ("type=cost.msm inputs=labels,linear gpu=0", "coeff=1 setSize=3 threads=2", False),
    "cost.sum2": ("type=cost.sum2 inputs=img gpu=0", "coeff=1", False),
    "cost.gsum2": ("type=cost.gsum2 inputs=labels,img gpu=0", "coeff=1", False),
    "cost.tica": ("type=cost.tica inputs=maps gpu=0 channels=16 sizeX=3", "coeff=1", False),
}
TREE = {"tree": [[], [], [], [0, 1], [2, 3]], "all_wnids": {"gproot": 4}}

# layer, change (key=value or -key; in the parameter file after p:), message after "Layer 'x"
CASES = [
    ("data", "-dataIdx", "': required parameter 'dataIdx' missing"),
    ("data", "dataIdx=6", "': parameter 'dataIdx' must be the index of a matrix that the data provider has, not 6"),
    ("data", "dataIdx=-1", "': parameter 'dataIdx' must be an int of at least 0, not '-1'"),
    ("data", "-type", "': no type given"),
    ("fc", "inputs=nope", "[0]': input 'nope' is not defined"),
    ("fc", "inputs=below", "[0]': input 'below' is not defined above it"),
    ("fc", "inputs=x", "[0]': input 'x' is not defined above it"),
    ("fc", "inputs=cost_img", "[0]': input 'cost_img' is a cost, which has no output"),
    ("fc", "inputs=", "[0]': input '' is not defined"),
    ("fc", "-inputs", "': required parameter 'inputs' missing"),
    ("fc", "-gpu", "': required parameter 'gpu' missing: its first input is a data layer, which has no device"),
    ("fc", "gpu=2", "': parameter 'gpu' must be one of the devices of this run (0, 1), not 2"),
    ("fc", "gpu=-1", "': parameter 'gpu' must be one of the devices of this run (0, 1), not -1"),
    ("fc", "gpu=a", "': parameter 'gpu' must be an int, not 'a'"),
    ("fc", "-outputs", "': required parameter 'outputs' missing"),
    ("fc", "outputs=3.0", "': parameter 'outputs' must be an int of at least 1, not '3.0'"),
    ("fc", "outputs=0x3", "': parameter 'outputs' must be an int of at least 1, not '0x3'"),
    ("fc", "outputs=0", "': parameter 'outputs' must be an int of at least 1, not '0'"),
    ("fc", "outputs=2147483648", "': parameter 'outputs' must be an int between -2147483647 and 2147483647, "
     "not '2147483648'"),
    ("fc", "outputs=%(nope)s", "': parameter 'outputs': '%(nope)s' refers to a key that neither this section "
     "nor [DEFAULT] has"),
    ("fc", "initW=x", "[0]': parameter 'initW' must be a float, not 'x'"),
    ("fc", "initW=nan", "[0]': parameter 'initW' must be a float, not 'nan'"),
    ("fc", "initW=1e999", "[0]': parameter 'initW' must be a finite float, not '1e999'"),
    ("fc", "initW=1,2", "': parameter 'initW' has 2 items for 1 input; it needs one item per input"),
    ("fc", "initW=", "[0]': parameter 'initW' must be a float, not ''"),
    ("fc", "initB=1_0", "': parameter 'initB' must be a float, not '1_0'"),
    ("fc", "p:", "': parameters required, but there is no section [x]"),
    ("fc", "p:-epsW", "': required parameter 'epsW' missing"),
    ("fc", "p:-epsB", "': required parameter 'epsB' missing"),
    ("fc", "p:-momW", "': required parameter 'momW' missing"),
    ("fc", "p:-momB", "': required parameter 'momB' missing"),
    ("fc", "p:epsW=1,2", "': parameter 'epsW' has 2 items for 1 input; it needs one item per input"),
    ("fc", "p:wc=a", "[0]': parameter 'wc' must be a float, not 'a'"),
    ("fc", "p:superEps=a", "': parameter 'superEps' must be a float, not 'a'"),
    ("fc", "p:schedW=foo", "': parameter 'schedW' must be a schedule: default, linear[tgtFactor=FLOAT,"
     "noiseStdev=FLOAT], exp[tgtFactor=FLOAT,noiseStdev=FLOAT], dexp[tgtFactor=FLOAT,noiseStdev=FLOAT,numSteps=INT], "
     "jdexp[tgtFactor=FLOAT,noiseStdev=FLOAT,numSteps=INT], not 'foo'"),
    ("fc", "p:schedB=linear", "': parameter 'schedB' must be linear[tgtFactor=FLOAT,noiseStdev=FLOAT], not 'linear'"),
    ("fc", "p:quantF=quarter", "': parameter 'quantF' must be one of default, half, not 'quarter'"),
    ("fc", "p:quantB=quarter", "': parameter 'quantB' must be one of default, half, not 'quarter'"),
    ("fc", "neuron=relu[1]", "': parameter 'neuron' must be relu, not 'relu[1]'"),
    ("fc", "neuron=tanh", "': parameter 'neuron' must be tanh[a,b] with plain decimal numbers, not 'tanh'"),
    ("fc", "neuron=tanh[1,1e3]", "': parameter 'neuron' must be tanh[a,b] with plain decimal numbers, not "
     "'tanh[1,1e3]'"),
    ("fc", "neuron=drelu[0]", "': parameter 'neuron' must be drelu[a] with a other than 0, not 'drelu[0]'"),
    ("conv2", "weightSource=,nope", "[1]': weight source 'nope' is unknown"),
    ("conv2", "weightSource=,img", "[1]': weight source 'img' is a data layer, not a conv layer"),
    ("conv2", "weightSource=,x", "[1]': weight source 'x' has weights of 144 x 16, not 27 x 16"),
    ("conv2", "weightSource=x[1],", "[0]': weight source 'x[1]' is not an earlier input of this layer"),
    ("conv2", "weightSource=,x[2]", "[1]': weight source 'x[2]' has only 2 weight matrices, counted from 0"),
    ("conv", "weightSource=below", "[0]': weight source 'below' is not defined above"),
    ("conv", "weightSource=other", "[0]': weight source 'other' is on device 1, not 0"),
    ("sparse", "weightSource=dense", "[0]': weight source 'dense' is not sparse"),
    ("groups", "weightSource=rand", "[0]': weight source 'rand' is sparse, but this input is not"),
    ("sparse", "weightSource=rand", "[0]': weight source 'rand' has 2 groups, not 4"),
    ("treefc", "inputs=img,img", "': takes 1 input, not 2"),
    ("softmax", "inputs=img,img", "': takes 1 input, not 2"),
    ("neuron", "-neuron", "': required parameter 'neuron' missing"),
    ("eltsum", "inputs=img,labels", "': its inputs have different numbers of outputs: 192, 1"),
    ("eltsum", "coeffs=1", "': parameter 'coeffs' has 1 item for 2 inputs; it needs one item per input"),
    ("eltmax", "inputs=img", "': takes at least 2 inputs, not 1"),
    ("eltmax", "inputs=img,labels", "': its inputs have different numbers of outputs: 192, 1"),
    ("conv", "-channels", "': required parameter 'channels' missing"),
    ("conv", "-filters", "': required parameter 'filters' missing"),
    ("conv", "-filterSize", "': required parameter 'filterSize' missing"),
    ("conv", "-initW", "': required parameter 'initW' missing"),
    ("conv", "-partialSum", "': required parameter 'partialSum' missing"),
    ("conv", "partialSum=5", "': parameter 'partialSum' must be 0 or a divisor of the 36 modules, not 5"),
    ("conv", "partialSum=-1", "': parameter 'partialSum' must be an int of at least 0, not '-1'"),
    ("conv", "sharedBiases=2", "': parameter 'sharedBiases' must be a bool (1, yes, true, on or 0, no, false, off), "
     "not '2'"),
    ("conv", "channels=5", "[0]': its input of 192 values does not divide into 5 channels"),
    ("conv", "channels=6", "[0]': its input of 6 channels of 32 pixels is not square images"),
    ("conv", "inputs=nine channels=9", "[0]': parameter 'channels' must be at most 3 or divisible by 4, not 9"),
    ("conv", "filterSize=9", "[0]': parameter 'filterSize' must be at most the padded image's size 8, not 9"),
    ("conv", "filterSize=0", "[0]': parameter 'filterSize' must be an int of at least 1, not '0'"),
    ("conv", "filters=24", "[0]': parameter 'filters' must be divisible by 16 in each group, not 24"),
    ("conv", "stride=4", "[0]': parameter 'stride' must be at most filterSize 3, not 4"),
    ("conv", "stride=0", "[0]': parameter 'stride' must be an int of at least 1, not '0'"),
    ("conv", "padding=-1", "[0]': parameter 'padding' must be an int of at least 0, not '-1'"),
    ("conv", "groups=0", "[0]': parameter 'groups' must be an int of at least 1, not '0'"),
    ("conv", "p:wcNormMin=1", "[0]': parameter 'wcNormMin' must be at most wcNormMax 0, not 1.0"),
    ("conv2", "filters=16,32", "': its inputs lead to different numbers of filters: 16, 32"),
    ("conv2", "filterSize=3,5", "': its inputs lead to different output sizes: 6, 4"),
    ("groups", "groups=3", "[0]': parameter 'channels' must be divisible by the 3 groups, not 16"),
    ("groups", "groups=8", "[0]': parameter 'channels' must be divisible by 4 x the 8 groups, not 16"),
    ("sparse", "groups=1", "[0]': parameter 'randSparse' needs more than 1 group"),
    ("sparse", "filterChannels=5", "[0]': parameter 'channels' must be divisible by filterChannels 5, not 16"),
    ("sparse", "groups=3", "[0]': parameter 'filterChannels' must be such that groups x filterChannels is divisible "
     "by the 16 channels, not 8"),
    ("sparse", "filterChannels=2 groups=8", "[0]': parameter 'filterChannels' must be divisible by 4, not 2"),
    ("local", "-filters", "': required parameter 'filters' missing"),
    ("pool", "sizeX=9", "': parameter 'sizeX' must be between 1 and the image's size 8, not 9"),
    ("pool", "stride=4", "': parameter 'stride' must be between 1 and sizeX 3, not 4"),
    ("pool", "start=-3", "': parameter 'start' must be between -2 and 7: windows must meet the image, not -3"),
    ("pool", "outputsX=5", "': parameter 'outputsX' must be between 0 and 4: windows must meet the image, not 5"),
    ("pool", "pool=min", "': parameter 'pool' must be one of max, maxabs, avg, rand, not 'min'"),
    ("pool", "inputs=learnt channels=10", "': its input of 192 values does not divide into 10 channels"),
    ("pool", "inputs=learnt channels=3", "': parameter 'channels' must be divisible by 16, as there are weights "
     "below, not 3"),
    ("poolr", "p:", "': parameters required, but there is no section [x]"),
    ("rnorm", "size=9", "': parameter 'size' must be between 1 and the image's size 8, not 9"),
    ("rnorm", "inputs=nine channels=9", "': parameter 'channels' must be at most 3 or divisible by 4, not 9"),
    ("rnorm", "inputs=learnt channels=3", "': parameter 'channels' must be divisible by 16, as there are weights "
     "below, not 3"),
    ("rnorm", "inputs=img channels=12 size=3", "': parameter 'channels' must be at most 8 or divisible by 16, not 12"),
    ("rnorm", "p:-scale", "': required parameter 'scale' missing"),
    ("cnorm", "p:-pow", "': required parameter 'pow' missing"),
    ("cnorm", "p:", "': parameters required, but there is no section [x]"),
    ("cmrnorm", "size=17", "': parameter 'size' must be between 2 and the number of channels, 16, not 17"),
    ("cmrnorm", "size=1", "': parameter 'size' must be between 2 and the number of channels, 16, not 1"),
    ("cmrnorm", "inputs=img channels=12", "': parameter 'channels' must be divisible by 16, not 12"),
    ("nailbed", "stride=1", "': parameter 'stride' must be at least 2, not 1"),
    ("blur", "filterSize=4", "': parameter 'filterSize' must be one of 3, 5, 7, 9, not 4"),
    ("blur", "filterSize=9", "': parameter 'filterSize' must be at most the image's size 8, not 9"),
    ("blur", "stdev=0", "': parameter 'stdev' must be above 0, not 0.0"),
    ("href", "inputs=maps channels=16", "': parameter 'channels' must be between 1 and 3, not 16"),
    ("resize", "scale=3", "': parameter 'scale' must be a float between 0.5 and 2, not '3'"),
    ("resize", "inputs=learnt", "': a resize layer has no gradient and cannot stand over layers with weights"),
    ("rscale", "inputs=learnt", "': a rscale layer has no gradient and cannot stand over layers with weights"),
    ("rscale", "maxScale=2.5", "': parameter 'maxScale' must be a float between 1 and 2, not '2.5'"),
    ("rscale", "tgtSize=3", "': parameter 'tgtSize' must be between 4 and 8, not 3"),
    ("rscale", "tgtSize=9", "': parameter 'tgtSize' must be between 4 and 8, not 9"),
    ("rgb2yuv", "inputs=labels", "': its input of 1 values does not divide into 3 channels"),
    ("rgb2lab", "inputs=learnt", "': a rgb2lab layer has no gradient and cannot stand over layers with weights"),
    ("hs", "keep=1.5", "': parameter 'keep' must be a float between 0 and 1, not '1.5'"),
    ("hs", "p:-enable", "': required parameter 'enable' missing"),
    ("cost.logreg", "p:topk=11", "': parameter 'topk' must be between 1 and the number of classes, 10, not 11"),
    ("cost.logreg", "p:topk=0", "': parameter 'topk' must be an int of at least 1, not '0'"),
    ("cost.logreg", "p:-coeff", "': required parameter 'coeff' missing"),
    ("cost.logreg", "p:", "': parameters required, but there is no section [x]"),
    ("cost.logreg", "inputs=labels,linear", "[1]': its second input must be a softmax layer, and 'linear' is a fc "
     "layer"),
    ("cost.logreg", "inputs=targets,soft", "[0]': its input 'targets' must have 1 output, not 10"),
    ("cost.logreg", "inputs=labels,soft,soft", "': takes 2 inputs, not 3"),
    ("cost.logreg", "-gpu", "': required parameter 'gpu' missing: its first input is a data layer, which has no "
     "device"),
    ("cost.crossent", "inputs=labels,soft", "[0]': its input 'labels' must have 10 outputs, one per class, not 1"),
    ("cost.crossent", "inputs=targets,linear", "[1]': its second input must be a softmax layer, and 'linear' is a fc "
     "layer"),
    ("cost.crossent2", "inputs=labels,logistic", "[0]': its input 'labels' must have 10 outputs, one per class, "
     "not 1"),
    ("cost.rflickr", "inputs=labels,logistic", "[0]': its input 'labels' must have 10 outputs, one per class, not 1"),
    ("cost.msm", "p:setSize=10", "': parameter 'setSize' must be between 1 and the number of classes less 1, 9, "
     "not 10"),
    ("cost.msm", "p:threads=33", "': parameter 'threads' must be an int between 1 and 32, not '33'"),
    ("cost.gsum2", "inputs=targets,img", "[0]': its gate 'targets' must have 1 output, not 10"),
    ("cost.sum2", "inputs=img,img", "': takes 1 input, not 2"),
    ("cost.tica", "sizeX=6", "': parameter 'sizeX' must be between 1 and 5, not 6"),
    ("cost.tica", "inputs=img channels=3", "': parameter 'channels' must be divisible by 16, not 3"),
]  # fmt: skip


def build(net, keys: str, params: str | None, use: bool) -> None:
    """Layer x amid others that it can refer to."""
    conv = GOOD["conv"][0].replace("gpu=0", "gpu=1")
    net.layer("other", conv, WEIGHTS)
    net.layer("dense", GOOD["groups"][0].replace("groups=4", "groups=2"), WEIGHTS)
    net.layer("rand", GOOD["sparse"][0].replace("groups=4", "groups=2 "), WEIGHTS)
    net.layer("learnt", GOOD["fc"][0].replace("outputs=5", "outputs=192"), WEIGHTS)
    net.layer("linear", "type=fc inputs=img gpu=0 outputs=10 initW=1", WEIGHTS)
    net.layer("logistic", "type=neuron inputs=linear neuron=logistic")
    net.layer("soft", "type=softmax inputs=linear")
    net.used("other", "dense", "rand", "learnt", "logistic", "soft")
    net.layer("x", keys, params)
    if use:
        net.used("x")
    net.layer("below", GOOD["conv"][0], WEIGHTS).used("below")


def change(keys: str, changes: str) -> str:
    """``key=value`` sets, ``-key`` removes."""
    items = dict(item.split("=", 1) for item in keys.split())
    for item in changes.split():
        if item.startswith("-"):
            del items[item[1:]]
        else:
            key, value = item.split("=", 1)
            items[key] = value
    return " ".join(f"{key}={value}" for key, value in items.items())


def line_of(lines: list[str], changes: str, message: str) -> int | None:
    """The line of layer x that the message is about: that of the parameter it names, else its first line."""
    section = lines.index("[x]")
    named = message.split("parameter '")[-1].split("'")[0] if "parameter '" in message else None
    if "required parameter" in message or "no type" in message:
        return section + 1
    if named is None:
        named = "weightSource" if "weight source" in message else "inputs"
        named = "channels" if "channels" in message else named
    if f"{named}=" not in "".join(lines[section : lines.index("", section)]):
        named = "inputs"
    return next(number for number, line in enumerate(lines[section:], section + 1) if line.startswith(f"{named}="))


def test_every_type_is_tried():
    assert {keys.split()[0].removeprefix("type=") for keys, _, _ in GOOD.values()} == set(type_names())


@pytest.mark.parametrize("name", GOOD)
def test_good_layer_passes(net, name):
    build(net, *GOOD[name])
    net.read(num_gpus=2, batch_meta=TREE)
    assert net.warnings == []


@pytest.mark.parametrize(("name", "changes", "message"), CASES, ids=[f"{case[0]} {case[1]}" for case in CASES])
def test_one_mistake_gives_one_line(net, name, changes, message):
    keys, params, use = GOOD[name]
    file = "p.cfg" if changes.startswith("p:") else "d.cfg"
    if changes == "p:":
        params = None
    elif changes.startswith("p:"):
        params = change(params, changes[2:])
    else:
        keys = change(keys, changes)
    build(net, keys, params, use)
    where = file
    if changes != "p:":
        where += f":{line_of(net.params if file == 'p.cfg' else net.definition, changes, message)}"
    assert net.problems(num_gpus=2, batch_meta=TREE) == [f"{where}: Layer 'x{message}"]


def test_unknown_type_lists_the_known_ones(net):
    build(net, "type=cov inputs=img gpu=0", None, True)
    (line,) = net.problems(num_gpus=2)
    assert "Layer 'x': unknown type 'cov'; the types are blur, cmrnorm, cnorm, concat, conv, cost.crossent" in line


def test_unknown_neuron_lists_the_known_ones(net):
    build(net, "type=neuron inputs=img gpu=0 neuron=Relu", None, True)
    (line,) = net.problems(num_gpus=2)
    assert "Layer 'x': parameter 'neuron' must be a neuron (ident = x, logistic = 1/(1+e^-x), abs = |x|" in line
    assert line.endswith("not 'Relu'")


@pytest.mark.parametrize(("neuron", "shown"), [("", "x"), (" neuron=relu", "x_neuron")])
def test_unused_layer(net, neuron, shown):
    net.layer("x", GOOD["fc"][0] + neuron, WEIGHTS)
    line = net.definition.index("[x]") + 1
    assert net.problems() == [f"d.cfg:{line}: Layer '{shown}': no other layer uses its output"]


def test_no_layers(empty):
    assert empty.problems() == ["d.cfg: defines no layers"]


def test_several_mistakes_are_named_at_once(net):
    net.layer("a", "type=conv inputs=img gpu=0 channels=3 filters=16 filterSize=x partialSum=0", "epsW=a momW=0")
    net.layer("b", "type=fc inputs=a initW=0.1", WEIGHTS)  # no outputs; its input's size is unknown
    net.layer("c", "type=pool inputs=a channels=7 sizeX=3 stride=2 pool=max")  # cannot be checked: no line
    net.layer("d", "type=fc inputs=img outputs=5 gpu=3 initW=1", None)
    net.used("b", "c", "d")
    shown = [line.split(": ", 1)[1] for line in net.problems()]
    assert shown == [
        "Layer 'a': required parameter 'initW' missing",
        "Layer 'a[0]': parameter 'filterSize' must be an int of at least 1, not 'x'",
        "Layer 'b': required parameter 'outputs' missing",
        "Layer 'd': parameter 'gpu' must be one of the devices of this run (0), not 3",
        "Layer 'd': parameters required, but there is no section [d]",
        "Layer 'a': required parameter 'epsB' missing",
        "Layer 'a': required parameter 'momB' missing",
        "Layer 'a[0]': parameter 'epsW' must be a float, not 'a'",
    ]


def test_both_files_missing(tmp_path, empty):
    from convnet_py.errors import LayerFileError
    from convnet_py.layers import read_net

    with pytest.raises(LayerFileError) as caught:
        read_net(tmp_path / "a", tmp_path / "b", data_dims=[], rng=None)
    assert str(caught.value) == (
        f"{tmp_path}/a: cannot be read: No such file or directory\n"
        f"{tmp_path}/b: cannot be read: No such file or directory"
    )


def test_syntax_errors_of_the_parameters_do_not_hide_mistakes_of_the_definition(net):
    net.layer("x", "type=fc inputs=img gpu=0 initW=1").used("x")
    net.params.insert(0, "junk")
    line = net.definition.index("[x]") + 1
    assert net.problems() == [
        f"d.cfg:{line}: Layer 'x': required parameter 'outputs' missing",
        "p.cfg:1: expected a '[section]' first, found 'junk'",
    ]


@pytest.mark.parametrize(
    ("meta", "reason"),
    [
        ({}, "it has no 'tree'"),
        ({"tree": TREE["tree"]}, "it has no label all_wnids['gproot']"),
        ({**TREE, "tree": [[], [], [], [0, 1], [2]]}, "its 'tree' is not one tree below the root 4"),
        ({**TREE, "tree": [[], [], [], [3, 1], [2, 0]]}, "its 'tree' is not one tree below the root 4"),
        ({**TREE, "tree": 3}, "its 'tree' is not the children of each node, by label 0..n-1"),
        ({"tree": [[], [0, 2], [], [1]], "all_wnids": {"gproot": 3}}, "its 'tree' does not have the leaves first"),
    ],
)
def test_tree_of_classes(net, meta, reason):
    build(net, *GOOD["treefc"])
    (line,) = net.problems(num_gpus=2, batch_meta=meta)
    assert line.endswith(f"Layer 'x': a treefc layer needs a tree of classes in the data's batches.meta: {reason}")


def test_number_of_classes_of_the_data(net):
    build(net, *GOOD["cost.logreg"])
    (line,) = net.problems(num_gpus=2, num_classes=8)
    assert line.endswith("Layer 'x[1]': its input 'soft' must have 8 outputs, one per class, not 10")


def test_relaxed_dialect_lets_go_of_tiling(net):
    relaxed = {"conv": "filters=24", "nailbed": "stride=1", "cmrnorm": "inputs=img channels=12", "cost.tica": "sizeX=6"}
    for number, (name, changes) in enumerate(relaxed.items()):
        keys, params, use = GOOD[name]
        net.layer(f"x{number}", change(keys, changes), params)
        if use:
            net.used(f"x{number}")
    assert len(net.problems()) == len(relaxed)
    net.read(dialect="relaxed")


def test_warnings(net):
    keys, params, _ = GOOD["cost.crossent2"]
    build(net, keys.replace("logistic", "linear"), params + " foo=1", False)
    net.layer("y", "type=fc inputs=img gpu=0 outputs=3 bar=2", WEIGHTS).used("y")
    net.layer("z", GOOD["fc"][0], WEIGHTS + " schedW=linear[1,0.5]").used("z")
    net.read(num_gpus=2)
    assert net.warnings[:3] == [
        "Layer 'x': cost.crossent2 expects a logistic input, and 'linear' is none",
        "Layer 'y': no initW given, 0.01 taken",
        "Layer 'z': schedW: 'linear[1,0.5]' taken for linear[tgtFactor=1,noiseStdev=0.5]",
    ]
    line = net.definition.index("bar=2") + 1
    assert net.warnings[3] == f"{net.folder}/d.cfg: unknown keys ignored: [y] bar (line {line})"
    line = net.params.index("foo=1") + 1
    assert net.warnings[4] == f"{net.folder}/p.cfg: unknown keys ignored: [x] foo (line {line})"
    assert len(net.warnings) == 5


def test_defaults_alone_are_no_parameter_section(net):
    net.layer("x", GOOD["fc"][0]).used("x").params += ["[DEFAULT]", *WEIGHTS.split()]
    assert net.problems(num_gpus=2)[0].endswith("Layer 'x': parameters required, but there is no section [x]")
    net.params += ["[x]"]
    assert net.read(num_gpus=2)["x"]["epsW"] == [0.1]
