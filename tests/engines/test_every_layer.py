"""The rebuilt engine against PyTorch, one net per layer type, neuron, cost and way to learn (spec 2.3, 3)."""

from __future__ import annotations

import pytest
from small_nets import WEIGHTS, Net

#: Layers over ``c``, 16 maps of 8 x 8: definition, parameters.
OVER_MAPS = {
    "max pooling": ("type=pool pool=max channels=16 sizeX=3 stride=2 start=-1", None),
    "max pooling inside the image": ("type=pool pool=max channels=16 sizeX=2 stride=2 start=1 outputsX=2", None),
    "maxabs pooling": ("type=pool pool=maxabs channels=16 sizeX=3 stride=2", None),
    "avg pooling": ("type=pool pool=avg channels=16 sizeX=3 stride=2 start=-1", None),
    "rand pooling": ("type=pool pool=rand channels=16 sizeX=3 stride=2", "doMax=0"),
    "rand pooling with doMax": ("type=pool pool=rand channels=16 sizeX=3 stride=2", "doMax=1"),
    "rnorm": ("type=rnorm channels=16 size=3", "scale=0.5 pow=0.75"),
    "rnorm of even size": ("type=rnorm channels=16 size=4", "scale=0.5 pow=0.75"),
    "cnorm": ("type=cnorm channels=16 size=3", "scale=0.5 pow=0.75"),
    "cnorm of even size": ("type=cnorm channels=16 size=6", "scale=0.5 pow=0.75"),
    "cmrnorm": ("type=cmrnorm channels=16 size=5", "scale=0.5 pow=0.75"),
    "cmrnorm of even size": ("type=cmrnorm channels=16 size=4", "scale=0.5 pow=0.75 minDiv=2"),
    "cmrnorm in blocks": ("type=cmrnorm channels=16 size=3 blocked=1", "scale=0.5 pow=0.75"),
    "nailbed": ("type=nailbed channels=16 stride=3", None),
    "blur": ("type=blur channels=16 filterSize=5 stdev=1.5", None),
    "href": ("type=href channels=16", None),
    "dropout": ("type=hs keep=0.5", "enable=1"),
    "dropout switched off": ("type=hs keep=0.7", "enable=0"),
    "local": ("type=local channels=16 filters=16 filterSize=3 padding=1 stride=2 initW=0.2 gpu=0", WEIGHTS),
    "local in groups": ("type=local channels=16 filters=16 groups=2 filterSize=3 stride=1 initW=0.2 gpu=0", WEIGHTS),
    "conv in groups": (
        "type=conv channels=16 filters=16 groups=4 filterSize=3 stride=2 initW=0.2 partialSum=0", WEIGHTS),
    "conv with windows that hang over": (
        "type=conv channels=16 filters=16 filterSize=4 stride=3 padding=1 initW=0.2 partialSum=0", WEIGHTS),
    "conv with biases per output": (
        "type=conv channels=16 filters=16 filterSize=3 initW=0.2 partialSum=0 sharedBiases=0", WEIGHTS),
    "conv random sparse": (
        "type=conv channels=16 filters=16 groups=4 filterChannels=8 randSparse=1 filterSize=3 initW=0.2 partialSum=0",
        WEIGHTS),
    "local random sparse": (
        "type=local channels=16 filters=16 groups=2 filterChannels=8 randSparse=1 filterSize=3 initW=0.2", WEIGHTS),
    "fc": ("type=fc outputs=7 initW=0.1", WEIGHTS),
    "softmax with a gradient of its own": ("type=softmax", None),
}  # fmt: skip

NEURONS = ["ident", "logistic", "abs", "relu", "nrelu", "softrelu", "square", "tanh[1.7,0.6]", "abstanh[1.5,0.9]",
           "brelu[0.4]", "linear[2,0.5]", "drelu[0.7]"]  # fmt: skip

#: Layers over ``img``, 3 maps of 8 x 8, which take no gradient.
OVER_DATA = {
    "resize": ("type=resize channels=3 scale=1.3", None),
    "resize to more": ("type=resize channels=3 scale=0.6", None),
    "rscale": ("type=rscale channels=3 maxScale=1.4 tgtSize=5", None),
    "rgb2yuv": ("type=rgb2yuv", None),
    "rgb2lab": ("type=rgb2lab center=1", None),
}


@pytest.mark.parametrize("kind", OVER_MAPS)
def test_layer_over_weights(net: Net, kind: str):
    keys, params = OVER_MAPS[kind]
    net.conv().layer("t", f"inputs=c gpu=0 {keys}", params).logreg("t")
    report = net.compare("--dialect=relaxed")
    report.check("c", "t")
    assert report.rows("weight gradients")["c/0"]["verdict"] == "ok"


@pytest.mark.parametrize("kind", ["cnorm", "cnorm of even size"])
def test_exact_gradients(net: Net, kind: str):
    keys, params = OVER_MAPS[kind]
    net.conv().layer("t", f"inputs=c gpu=0 {keys}", params).logreg("t")
    net.compare("--dialect=relaxed", "--exact-gradients=1").check("c", "t")


@pytest.mark.parametrize("kind", OVER_DATA)
def test_layer_over_data(net: Net, kind: str):
    keys, params = OVER_DATA[kind]
    net.layer("t", f"inputs=img gpu=0 {keys}", params).logreg("t")
    net.compare().check("top")


@pytest.mark.parametrize("neuron", NEURONS)
def test_neuron(net: Net, neuron: str):
    net.conv(keys=f"neuron={neuron}").logreg("c")
    net.compare().check("c", "c_neuron")


def test_square_root(net: Net):
    net.conv(keys="neuron=relu").layer("n", "type=neuron neuron=linear[1,0.5] inputs=c gpu=0")
    net.layer("root", "type=neuron neuron=sqrt inputs=n gpu=0").logreg("root")
    net.compare().check("n", "root")


def test_ties_all_get_the_gradient(net: Net):
    net.conv(keys="neuron=relu").layer("m", "type=eltmax inputs=c,c gpu=0")
    net.layer("p", "type=pool pool=max channels=16 sizeX=4 stride=4 inputs=m gpu=0").logreg("p")
    net.compare().check("c", "m", "p")


def test_elementwise_and_concat(net: Net):
    net.conv("a").conv("b", "neuron=relu").layer("s", "type=eltsum inputs=a,b,a coeffs=0.5,-2,1 gpu=0")
    net.layer("m", "type=eltmax inputs=s,a gpu=0").layer("j", "type=concat inputs=m,b gpu=0").logreg("j")
    net.compare().check("a", "b", "s", "m", "j")


#: Costs over ``x``, 10 values per case: definition, parameters, whether there is a softmax or logistic below it.
COSTS = {
    "logreg, fused": ("type=cost.logreg inputs=labels,p", "coeff=0.7 topk=2", "softmax"),
    "rflickr": ("type=cost.rflickr inputs=onehot,x", "coeff=0.7", None),
    "crossent, fused": ("type=cost.crossent inputs=onehot,p", "coeff=0.7", "softmax"),
    "crossent2, fused": ("type=cost.crossent2 inputs=onehot,p", "coeff=0.7", "logistic"),
    "sum2": ("type=cost.sum2 inputs=x", "coeff=0.7", None),
    "gsum2": ("type=cost.gsum2 inputs=gate,x", "coeff=0.7", None),
    "msm": ("type=cost.msm inputs=labels,x", "coeff=0.7 setSize=4 threads=2", None),
}


def over_labels(net: Net, kind: str) -> Net:
    """The net of a cost, over one-hot labels where it needs them (which dummy-ce has in place of class indices)."""
    keys, params, below = COSTS[kind]
    if "onehot" in keys:
        net.provider = "dummy-ce-192"
        net.definition = net.params = ""
        net.layer("img", "type=data dataIdx=0").layer("onehot", "type=data dataIdx=1")
    net.layer("x", "type=fc inputs=img outputs=10 initW=0.3 gpu=0", WEIGHTS)
    if below == "softmax":
        net.layer("p", "type=softmax inputs=x")
    elif below == "logistic":
        net.layer("p", "type=neuron neuron=logistic inputs=x")
    return net.layer("cost", f"{keys} gpu=0", params)


@pytest.mark.parametrize("kind", COSTS)
def test_cost(net: Net, kind: str):
    over_labels(net, kind).compare("--dummy-classes=10").check("x")


@pytest.mark.parametrize("kind", [kind for kind in COSTS if "fused" in kind])
def test_cost_that_is_not_the_only_user(net: Net, kind: str):
    over_labels(net, kind).layer("other", "type=cost.sum2 inputs=p gpu=0", "coeff=0")
    net.compare("--dummy-classes=10").check("x", "p")


def test_tica(net: Net):
    net.conv().layer("cost", "type=cost.tica inputs=c channels=16 sizeX=4 gpu=0", "coeff=0.7")
    net.compare().check("c")


def test_gate_takes_a_gradient(net: Net):
    net.layer("z", "type=fc inputs=img outputs=1 initW=0.3 gpu=0", WEIGHTS)
    net.conv().layer("cost", "type=cost.gsum2 inputs=z,c gpu=0", "coeff=0.7")
    net.compare().check("z", "c")


def test_class_tree(net: Net):
    net.conv().layer("t", "type=treefc inputs=c initW=0.1 gpu=0", WEIGHTS).layer("p", "type=softmax inputs=t")
    net.layer("cost", "type=cost.logreg inputs=labels,p gpu=0", "coeff=1")
    net.compare("--batches=3", "--tolerance-trained=1e-5").check("c", "t")


# Learning


SCHEDULES = {
    "linear": "linear[tgtFactor=10,noiseStdev=0]",
    "exp": "exp[tgtFactor=10,noiseStdev=0.5]",
    "dexp": "dexp[tgtFactor=10,noiseStdev=0,numSteps=3]",
    "jdexp": "jdexp[tgtFactor=10,noiseStdev=0.3,numSteps=4]",
}
LEARNING = {
    **{f"{name} schedule": f"{WEIGHTS} schedW={text} schedB={text}" for name, text in SCHEDULES.items()},
    "bound on norms": f"{WEIGHTS} wball=0.005",
    "bounds on zero-mean norms": f"{WEIGHTS} wcNormMax=0.05 wcNormMin=0.04",
    "no rate for biases": "epsW=0.1 epsB=0 momW=0.9 momB=0.9",
    "no rate for weights": "epsW=0 epsB=0.1 momW=0.9 momB=0.9",
}


@pytest.mark.parametrize("kind", LEARNING)
def test_learning(net: Net, kind: str):
    """Over several batches of a net without kinks, in which errors stay what they are."""
    net.conv(keys="neuron=tanh[1,1]", params=LEARNING[kind]).logreg("c")
    # Batches of two minibatches, the second of which is smaller.
    report = net.compare("--batches=4", "--train-range=1-4", "--epochs=1", "--mini=8", "--tolerance-trained=1e-5")
    report.check("c_neuron")
    assert report.rows("weights after the batches")["c/0"]["verdict"] == "ok"


def test_adaptive_rates(net: Net):
    net.conv(keys="neuron=tanh[1,1]", params=f"{WEIGHTS} superEps=0.5").logreg("c")
    net.compare("--batches=4", "--epochs=1", "--tolerance-trained=1e-5").check("c")


def test_updates_every_few_minibatches(net: Net):
    net.conv(keys="neuron=tanh[1,1]").logreg("c")
    arguments = "--wupdate-freq=3", "--batches=4", "--epochs=1", "--mini=5", "--tolerance-trained=1e-5"
    net.compare(*arguments).check("c")


#: Definition keys of a layer with one input, and of one that uses its matrix twice.
SHARING = {
    "conv": (
        "type=conv channels=3 filters=16 filterSize=3 padding=1 initW=0.3 partialSum=0",
        "type=conv channels=3,3 filters=16,16 filterSize=3,3 padding=1,1 initW=0.3,0.3 partialSum=0",
    ),
    "local": (
        "type=local channels=3 filters=16 filterSize=3 padding=1 initW=0.3",
        "type=local channels=3,3 filters=16,16 filterSize=3,3 padding=1,1 initW=0.3,0.3",
    ),
    "fc": ("type=fc outputs=10 initW=0.1", "type=fc outputs=10 initW=0.1,0.1"),
}


@pytest.mark.parametrize("kind", SHARING)
@pytest.mark.parametrize("rate", ["0.3", "0"])
def test_shared_weights(net: Net, kind: str, rate: str):
    """A matrix with a user in another layer, each with a schedule of its own, and one used twice by its layer."""
    single, double = SHARING[kind]
    net.layer("a", f"{single} inputs=img gpu=0", f"{WEIGHTS} schedW=exp[tgtFactor=5,noiseStdev=0.2]")
    of_user = f"epsW={rate} epsB=0.2 momW=0.5 momB=0.8 wc=0.5 schedW=linear[tgtFactor=2,noiseStdev=0.4]"
    net.layer("b", f"{single} inputs=img weightSource=a gpu=0", of_user)
    of_both = "epsW=0.1,0.2 epsB=0.1 momW=0.9,0.8 momB=0.9 wc=0.01,0"
    net.layer("d", f"{double} inputs=img,img weightSource=,d gpu=0", of_both)
    net.layer("s", "type=eltsum inputs=a,b,d gpu=0").layer("n", "type=neuron neuron=tanh[1,1] inputs=s gpu=0")
    net.logreg("n")
    report = net.compare("--batches=4", "--train-range=1-4", "--epochs=1", "--tolerance-trained=1e-5")
    report.check("a", "b", "d")
    assert "b/0" not in report.rows("weights after one update")


def test_several_devices(net: Net):
    """Two columns that see each other, with half-precision transfers where those go through the host."""
    half = f"{WEIGHTS} quantF=half quantB=half"
    net.conv("a", "neuron=tanh[1,1]", half).conv("b", "neuron=tanh[1,1]", half, gpu=1)
    net.layer("j", "type=eltsum inputs=a,b gpu=0").logreg("j")
    net.layer("k", "type=eltsum inputs=a,b gpu=1").layer("other", "type=cost.sum2 inputs=k gpu=1", "coeff=0.01")
    costs = []
    for transfers in ("peer", "host"):
        report = net.compare("--num-gpus=2", f"--transfers={transfers}")
        report.check("a", "b")
        costs.append(report.content["costs"])
    assert costs[0] != costs[1]
