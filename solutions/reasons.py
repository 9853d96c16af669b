"""Why the right option of each concept question is right, and why each other one is wrong.

Instructor's side, like the lessons' solutions: nothing of it is in the notebooks, in `nas_lib` or in the learners' zip.
`nas-course reasons` shows it to who studies from the whole repository, for questions that they have answered.
"""

from __future__ import annotations

REASONS: dict[str, dict[str, str]] = {
    "concept_00_1": {
        "a": "The edge is on no path, so nothing that reaches the output passes it: the outputs are the same.",
        "b": "A convolution on a dead edge still has its weights: cost belongs to the cell, not to the function.",
        "c": "The loss is the same function of the active weights in both cells, and so are its gradients.",
        "d": "Both train as the same function, so their expected accuracy is the same; single runs differ by seed.",
    },
    "concept_00_2": {
        "a": "No decision of the search was made by it, so nothing made it too high.",
        "b": "The largest of thousands of noisy numbers is in part luck: the winner's curse.",
        "c": "It says how well the network fits the images that it learned from, not new ones.",
        "d": "That chooses by test accuracy, which makes the maximum too high just like the one of validation.",
    },
    "concept_00_3": {
        "a": "The difference of two single runs has a deviation of √2 · 0.6 ≈ 0.85: 0.5 is less than one of it.",
        "b": "It may be, but with this noise the opposite order of two single runs would not surprise either.",
        "c": "That no difference is shown does not show that there is none.",
        "d": "There is no mean to be close to: each cell has a mean of its own, and one run of it.",
    },
    "concept_01_1": {
        "a": "NAS-Bench-101 appeared in the same year, and its comparison is by its own authors.",
        "b": "Zoph and Le's own 'Control Experiment 2' compared with random search; the 800 GPUs were theirs.",
        "c": "NAS-Bench-201 is of 2020: its authors compared ten methods on three data sets.",
        "d": "Random search with early stopping and random search with weight sharing held their own on both spaces.",
    },
    "concept_01_2": {
        "a": "A draw hits the best 1 % with probability 0.01, whatever the size: 1 − 0.99ⁿ knows only the fraction.",
        "b": "There are a million times as many good ones, too.",
        "c": "Nothing in 1 − 0.99ⁿ grows with the root of the size either.",
        "d": "Doublings count in a binary search of an ordered list; draws know no order.",
    },
    "concept_01_3": {
        "a": "An interval around zero also allows 0.7 points. No decision is not equality.",
        "b": "That would be a statement about A, with a prior; and zero lies in the interval: no lead is shown.",
        "c": "The interval is about the mean of the differences, not about single runs.",
        "d": "The interval holds what the runs allow, from −0.1 to 0.7, and zero is among it.",
    },
    "concept_01_4": {
        "a": "It was chosen for its high number, and high numbers are in part luck. New seeds share none of it.",
        "b": "Averaging makes noise smaller in both directions; it adds nothing.",
        "c": "Unbiased for a cell that was fixed beforehand. This one was chosen by the number itself.",
        "d": "The first training says a lot: good cells stay good. It only says a little too much.",
    },
    "concept_02_1": {
        "a": "The oldest leaves, whatever its value, and its children have to do well in trainings of their own.",
        "b": "That is evolution in which the *worst* leaves: there a lucky value stays until it is beaten.",
        "c": "Nothing is trained twice. A child is another architecture.",
        "d": "A tournament draws at random and takes the best of its draw: a high value wins whenever it is drawn.",
    },
    "concept_02_2": {
        "a": "That trains all 27 to the end, without halving.",
        "b": "Four rungs with 27, 9, 3 and 1 architectures, to 1, 3, 9 and 27 epochs: each costs 27.",
        "c": "These are the epochs of one architecture that survives all rungs, of 40 trained from scratch.",
        "d": "Only the first rung trains one epoch; each later one trains three times as long.",
    },
    "concept_02_3": {
        "a": "That is tau = 0.",
        "b": "Right pairs minus wrong pairs are 0.5 and together 1: 0.75 and 0.25.",
        "c": "Tau says nothing of how good it is to choose by size.",
        "d": "Tau is a share of pairs, and does not grow or fall with their number.",
    },
    "concept_02_4": {
        "a": "Over all cells it is earned by telling bad from good; needed is the choice among good ones.",
        "b": "Even 0.5 saves trainings where it beats what costs nothing.",
        "c": "One space shows nothing about another: sizes and operations differ.",
        "d": "The parameter count has 0.75 there, and among the best tenth both mean much less.",
    },
    "concept_03_1": {
        "a": "That is NASNet (Zoph et al. 2018).",
        "b": "Shared weights came with ENAS (Pham et al. 2018).",
        "c": "Every layer's filters and connections for CIFAR-10, and a recurrent network's cell for Penn Treebank.",
        "d": "That is DARTS (Liu et al. 2019).",
    },
    "concept_03_2": {
        "a": "The step is 86 · ∇log p. It raises everything that is drawn, better cells a little more.",
        "b": "It would be so with a baseline near 90: then the advantage is negative.",
        "c": "Without a baseline the expectation is the same gradient, only noisier.",
        "d": "The first half is right. But the mean over all draws is the true gradient, with or without a baseline.",
    },
    "concept_03_3": {
        "a": "Only a baseline that does not depend on the sample keeps the mean. This one holds a tenth of its reward.",
        "b": "The new average is 0.9 old + 0.1 R, so R minus it is 0.9 (R − old): the signal shrinks to 0.9.",
        "c": "That takes a decay of 0, where the average is the reward itself.",
        "d": "What is left out of the reward scales the gradient. Nothing is added.",
    },
    "concept_03_4": {
        "a": "The advantage is 0 for the one cell that is drawn, so nothing pulls the policy away from it.",
        "b": "An entropy of 0.05 nats is nearly one cell only: there is nothing left to compare.",
        "c": "The baseline goes to the reward that is drawn, not above it.",
        "d": "p ∇log p goes to 0 with the entropy.",
    },
    "concept_04_1": {
        "a": "The two steps take turns, and parallel runs would not need other images.",
        "b": "With the same images the term is not zero. Its two losses differ by their places, too.",
        "c": "The learning rate of the weights does not depend on the alphas.",
        "d": "On the images of the weights the alphas would prefer what fits these best, useful or not.",
    },
    "concept_04_2": {
        "a": "The other way round: it multiplies by r where it should divide.",
        "b": "r is a number: every shape fits, and that is why nobody notices.",
        "c": "Multiplying instead of dividing by r ≈ 0.01 makes the term r² = 10⁻⁴ of what it should be.",
        "d": "The optimiser scales the whole gradient; the term's share of it stays ten thousand times too small.",
    },
    "concept_04_3": {
        "a": "The winner is the largest of logits plus noise. Dividing all of them by τ keeps the largest.",
        "b": "True of soft samples. Hard ones are one-hot already.",
        "c": "Forwards nothing changes, but the gradient is that of the soft sample, which τ does change.",
        "d": "Forward the one-hot of the same winner, backward the softer or sharper sample's gradient.",
    },
    "concept_04_4": {
        "a": "It lost most with wrong statistics, and came to 85 % by itself.",
        "b": "New statistics bring back 41 of 62 points. How good the cell is, only its own training tells.",
        "c": "To be ahead of a supernet says nothing of other cells: most may be.",
        "d": "A better supernet is no better cell: its accuracy does not tell.",
    },
    "concept_05_1": {
        "a": "Weights that had diverged would fail in training mode as well.",
        "b": "Unfair sampling favours some cells. It does not ruin all of them in one mode only.",
        "c": "Both modes are tried on the same images.",
        "d": "They are means over all paths that were sampled. In training mode each batch brings its own.",
    },
    "concept_05_2": {
        "a": "One path trains one operation per edge, and the other four not at all.",
        "b": "Six is the number of edges, all of which are in every path.",
        "c": "Five paths, in which each edge goes through its five operations: each operation is trained once.",
        "d": "There are 30 operations, but each pass trains six of them.",
    },
    "concept_05_3": {
        "a": "Among the best it is next to blind: its highest score is one of many good cells, by chance.",
        "b": "0.7 over all cells keeps the bad ones out, which is worth a lot.",
        "c": "It is good at the coarse choice and bad at the fine one: it makes the first, trainings the second.",
        "d": "That measures one cell very well, which was chosen nearly by chance among the good ones.",
    },
    "concept_05_4": {
        "a": "It has the most weights, and trains slowest.",
        "b": "Its batch norms need no more images than others.",
        "c": "A small network's weights are there from the start, as a part of the large ones.",
        "d": "A trained large network is a good start, and its outputs are what the smaller ones learn from.",
    },
    "concept_06_1": {
        "a": "Calls to a GPU return at once. Without waiting for it the clock measures how fast they are queued.",
        "b": "Each layer needs the output of the one before it.",
        "c": "Warm-up changes which calls are counted, not how ten layers compare with a hundred.",
        "d": "The median hides rare slow calls. Here *all* would have to be slow.",
    },
    "concept_06_2": {
        "a": "At 5 FLOP per byte, below the ridge of 10, memory is the limit: the processor waits already.",
        "b": "It would wait even longer: the bytes are the same.",
        "c": "On the roofline means as fast as *this* traffic allows; with less traffic it gets faster.",
        "d": "A quarter of the bytes, at a limit by bytes.",
    },
    "concept_06_3": {
        "a": "A soft constraint forbids nothing: a slow and accurate network may still win.",
        "b": "(latency / T)^w multiplies every reward by one and the same factor when T changes: the order stays.",
        "c": "T is where the factor is 1, and no network is drawn to it.",
        "d": "The same order has the same best network, with the same accuracy.",
    },
    "concept_06_4": {
        "a": "The other way round: orders survive a common factor, milliseconds do not.",
        "b": "The first needs milliseconds, and those are 20 % off.",
        "c": "A common factor keeps every order, and with it the front. 33 ms are a number, which needs calibration.",
        "d": "Wrong by one factor for all: comparisons are right.",
    },
    "concept_07_1": {
        "a": "That search found B0, the base.",
        "b": "φ says how much more one wants to spend: 2^φ times the cost.",
        "c": "The grid search is for α, β and γ, with φ = 1.",
        "d": "No law is fitted: φ is chosen.",
    },
    "concept_07_2": {
        "a": "In training a branch counts for 0.8 of itself on average, in evaluation for all: 1/0.8 = 1.25.",
        "b": "The norm is inside the branch and sees only images that keep it; what is added behind it is larger.",
        "c": "A factor of 0.8 is no reason to fail: any learning rate changes more.",
        "d": "In evaluation nothing is dropped.",
    },
    "concept_07_3": {
        "a": "Resolution multiplies MACs and adds no parameter.",
        "b": "MACs by (1.2 · 1.1² · 1.15²)³ ≈ 7, parameters by (1.2 · 1.1²)³ ≈ 3.1.",
        "c": "Parameters grow by (1.2 · 1.1²)³ ≈ 3.1: the width counts twice, once for each side of a layer.",
        "d": "φ is an exponent: the cost doubles with each step of it.",
    },
    "concept_07_4": {
        "a": "There is none; whether the best ratio moves with size is an open question of experiment.",
        "b": "Many ratios fulfil it, width alone among them.",
        "c": "It is a bet that a cheap answer near B0 is good enough far away from it.",
        "d": "That search knew one size, and looked at no ratio.",
    },
    "concept_08_1": {
        "a": "The mean of *improvements* counts: A gains 0.04 on average, as it can hardly be better than 86.2.",
        "b": "Half of A and nearly a third of B lies above 86: both have some.",
        "c": "B is better in 31 % of the cases, and then by more than a point on average: 0.40 in all, A 0.04.",
        "d": "That is the probability of an improvement, which does not ask how large it is.",
    },
    "concept_08_2": {
        "a": "It draws most, and then throws away at random: what is left is no better than any draw.",
        "b": "The cost is alike, but only what was trained to the end is known.",
        "c": "It compares its configs by the last epoch; the others keep a random part and compare fewer there.",
        "d": "It has fewer configs at the end than the last one, and nothing in exchange.",
    },
    "concept_08_3": {
        "a": "Epochs that were trained cannot be given back.",
        "b": "That is successive halving: ASHA promotes as soon as three results are there.",
        "c": "A rung has no places: the better ones are promoted as well.",
        "d": "Early promotions may be wrong, and become few as the rung fills.",
    },
    "concept_08_4": {
        "a": "A significant 0.02 may still be nothing but size, measured a little better.",
        "b": "There the size says nothing, and whatever tau is left is the proxy's own.",
        "c": "Less noise raises tau, and does not tell where it comes from.",
        "d": "The size agrees with that one, too.",
    },
    "concept_09_1": {
        "a": "It is, but not by this reward: half of the target is a deviation of 50 %, five points at β = −10.",
        "b": "90.3 − 10 · 0.5 = 85.3, below 90.0. Who wants “at most” should use a constraint.",
        "c": "That is the one-sided penalty: the absolute value pulls from below as well.",
        "d": "The deviation is relative: half of any target costs the same.",
    },
    "concept_09_2": {
        "a": "It may be, and averaging would help; but what it measures would still be the same for all.",
        "b": "No policy gradient needs a derivative of the reward: that is what REINFORCE is for.",
        "c": "The policy does not learn during the warm-up, so that no reward is asked for then.",
        "d": "Masks make zeros out of what was computed, so that a small network takes as long as the largest.",
    },
    "concept_09_3": {
        "a": "Of eight such p, one is below 0.02 by chance alone with a probability of about 15 %.",
        "b": "The smallest p decides first, but it is multiplied by how many there are.",
        "c": "The smallest of eight is multiplied by eight, and 0.16 is above 0.05.",
        "d": "That nothing is shown does not show that there is nothing.",
    },
    "concept_09_4": {
        "a": "It was right this time; a proof would say so before anybody looks at the optimum.",
        "b": "However many were tried: the next may reach 86 %.",
        "c": "A bound has to hold for what was not looked at. MACs that add up do; what was seen so far does not.",
        "d": "It may save much and lose nothing, as most heuristics do most of the time.",
    },
}
"""Question → letter → why it is right or wrong."""
