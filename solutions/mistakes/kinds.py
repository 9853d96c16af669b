"""Kinds of mistakes: the ways in which a check can be blind to a wrong answer, and where each of them is tried.

A check that tries one plain case sees a wrong idea. It doesn't see what these kinds have in common: that the plain case
comes out right. So every exercise has mistakes of each kind, or a sentence that says why there can be none. What
belongs to no kind is wrong on any case. `nas-course mutants --kinds` prints which exercise has how many of which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One way in which a check can be blind.

    Args:
        what: what such mistakes have in common.
        concepts: those of its mistakes, separated by blanks; "exercise.concept" is that of one exercise alone, and goes
            before the concept of all.
        absent: exercises that have none, by the reason.
    """

    what: str
    concepts: str
    absent: Mapping[str, str]


KINDS = {
    "changes": Kind(
        "something else is changed, or not put back",
        """
            backward-before-the-test changes-alphas changes-flags changes-hooks changes-settings
            changes-the-mode changes-the-network changes-the-rate clears-gradients clears-then-refuses
            decays-the-others freezes-for-good in-place late-error alpha_step_first_order.leaks-gradients
            alpha_step_second_order.leaks-gradients moves-both moves-the-others moves-then-refuses mutates-input
            not-a-new-tensor put-back-by-arithmetic restores-only-without-an-error smaller-rate
            steps-before-the-test steps-on-bad-input steps-then-refuses trains-the-shared-weights
            trains-the-teacher unfreezes weights-not-restored weights-put-back-by-arithmetic
        """,
        {},
    ),
    "state": Kind(
        "one call on a fresh object hides it",
        """
            adds-up answers-as-before dependent-draws depends-on-the-last-call drops-in-eval first-draw-for-ever
            fixed-choice fixed-seed forgets-the-state gradients-from-before keeps-gradients
            no-gradient-in-evaluation no-start hardware_aware_search.not-evaluated not-random old-alphas
            old-gradients old-numbers old-statistics-linger one-hot-in-evaluation overwrites-results
            remembers-another-device remembers-batches remembers-scores shared-head stale
        """,
        {},
    ),
    "tame": Kind(
        "tame or symmetric cases hide it",
        """
            a-few-layers absolute absolute-advantages absolute-importance all-at-once assumes-two batch-norm
            hypervolume_2d.beyond-the-reference by-columns absolute_reward.capped children-only
            ridge_predictor.clipped simple_regret.clipped clips-advantages clips-gradients clips-the-gradient
            compares-sizes compares-with-the-record constant-in-the-scale counts-overlaps counts-paths
            counts-repeats-once counts-twice covariance cut-at-100 cut-at-zero cut-off-at-zero
            cuts-half-the-divisor-off cuts-the-product-off decides-for-all drops-none drops-skips
            exponents-below-0-only fills-the-range first-batch-only first-image first-norm-only
            first-row-for-all fixed-length gate-of-the-batch gate-per-pixel half-the-range infinity-as-zero
            intersection knows-the-future mixup.labels-swapped largest-not-absolute last-batch-only
            last-two-only late-codes leaves-out-entries leaves-out-what-is-below-0
            hardware_aware_search.led-by-accuracy hardware_aware_search.led-by-latency loses-its-sign
            loses-the-sign loss-swapped lower-side-only masked-with-a-number masked-with-zero
            masked_heads.masks-numbers masked_heads.masks-tokens paired_bootstrap.median merges-options
            evolve_under_constraint.minimum mismatched-rows mixed-denominators mixes-channels mode moves-down
            multiple-of-eight-at-least multiplies-differences naive-softmax never-below-zero never-shrinks
            no-random-draw no-running-maximum no-shortcut not-centred bayesian_optimization.not-distinct
            not-finite not-one-to-one not-sorted not-symmetric roofline_latency.not-the-longer not-transposed
            off-by-one one-after-the-other one-axis-only one-image one-kind-of-norm one-relu one-row-for-all
            absolute_reward.one-sided kendall_tau.one-sided one-step-only only-one-group only-the-first overflow
            overflows roofline_latency.overhead-inside part-of-the-batch positive-advantages-only
            products-vanish sample_path.raises refuses-repeats random_search.repeats-proposals
            hyperband_brackets.rounds-down successive_halving.rounds-up scales-first signs single-blocks-stay
            skips-batches skips-the-last-layer softmax-of-importance started-order starts-at-zero
            swaps-height-and-width takes-shapes-for-alike transposed interleaved_search.turned-round
            two-latest-phases upper-side-only waits-for-the-rung weighted-average whole-numbers whole-steps
            bayesian_optimization.wrong-best fair_paths.wrong-count hyperband_brackets.wrong-epochs
            paired_bootstrap.wrong-mean sample_uniform.wrong-options
        """,
        {},
    ),
    "edges": Kind(
        "an edge of the stated domain",
        """
            accepts-bad-input round_repeats.adds-one-more average-of-zero begins-again below-one below-zero
            beyond-max-epochs samples_for_top_fraction.capped changes-options compares-configs
            counts-equals-once counts-rungs-by-logarithm cut-off-above-zero dead-parameters divides-by-powers
            divides-by-zero draws-the-impossible drops-everybody drops-images drops-new-decisions drops-options
            drops-ties drops-units eight-bits-at-most empty-cut ends-early ends-together equals-kept
            exactly-nine-tenths first-advantage fraction-one frozen gamma gamma-not-tau half-down half-to-even
            ignores-ties infinity-as-a-number keeps-copies keeps-instead-of-drops kernels-only last-of-equals
            leaves-out-nan grid_search_coefficients.leaves-out-one loses-a-phase loses-copies lost-zeros
            marks-with-a-number merges-equals misses-the-last missing-bracket moves-on-ties
            names-what-is-not-open needs-sorted-phases never-zero no-last-rung no-tie-correction none-chosen
            not-cut-off not-nan nothing-without-arithmetic nothing-without-traffic overhead-needs-layers raises
            ranks-without-ties rare-targets reads-twice refuses-a-network-that-is-never-right refuses-good-input
            refuses-nan refuses-rewards-below-0 refuses-what-takes-no-time repeats-options rises-again
            single-point single-repeat single-stage-low skips-a-class skips-nan skips-the-first
            skips-zero-gradients small-std starts-at-a-number stops-at-the-last-point strict strict-limit tau-a
            tau-c tied ties ties-as-concordant ties-as-discordant ties-at-random ties-reversed asha.too-early
            warmup_probability.too-early warmup_probability.too-late top-of-one twice-the-discordant
            search_bits.under-budget unhashable-configs unused-weight weakly-dominated whole-quotients
            enas_controller_step.wrong-entropy-term reinforce_loss.wrong-entropy-term zero-direction
            zero-is-none zero-is-open zero-std zero-tensor-only zero-too-early
        """,
        {},
    ),
    "declared": Kind(
        "declared, and not tried: types, classes of errors, arguments that are not used",
        """
            arrays-only coarse-dtype default-resamples digits-not-names eta-is-two fixed-dtype flat flat-keys
            forgets-to-return hard-codes-the-space ignores-alphas ignores-best ignores-beta ignores-confidence
            ignores-depth ignores-divisor ignores-eps ignores-eta ignores-filters ignores-gamma
            ignores-generator ignores-importance ignores-n ignores-phi ignores-population ignores-repeats
            ignores-resamples ignores-rng ignores-tau ignores-the-clock ignores-the-exponents
            ignores-the-optimizer ignores-the-target ignores-the-transform ignores-the-variant
            ignores-the-weight ignores-top indices indices-as-floats indices-not-options init-changed ints-only
            layers-changed learnable-scale limit-unused loss-of-its-own not-a-function not-an-arch not-an-int
            not-averaged not-summed numbers-not-names numbers-only one-number one-worker other-default
            other-dtype other-layers other-type own-generator per-channel-ignored positions returns-nothing
            returns-one statistic-and-p string-keys tensors-only with-p-value wrong-dtype wrong-error
            wrong-shape wrong-type
        """,
        {},
    ),
    "power": Kind(
        "wrong by little, or seldom",
        """
            a-bit-is-left-out a-bit-is-not-enough adds-a-constant an-estimate approximation basic-interval
            biased biased-pool biased-samples biased-shuffle biased-variance coarse-share computed-again
            dependent-decisions dependent-rows draws-unevenly evaluates-what-does-not-fit exact-share
            first-population fixed-decision float-configs float-epochs float32 ignores-the-constraint in-order
            inexact jitter latin-square left-out hyperband_brackets.logarithm loses-digits margin
            count_active_ops.misses-active-ops misses-an-operation near-the-target nearly-equal never-drawn
            never-draws-the-first never-draws-the-last hill_climb.never-moves noise-for-ties
            normal-approximation not-independent not-shuffled not-uniform one-shuffle-for-all
            alpha_step_second_order.one-sided one-sign one-sign-for-all order-not-random other-gradient
            other-noise other-schedule other-share alpha_step_first_order.other-step
            alpha_step_second_order.other-step weight_step.other-step
            other-temperature partners-with-replacement radius-not-scaled random-not-children
            restart-not-uniform rounded rounds-first rounds-importance rounds-values same-noise
            second-best-point shared-choice small-steps discretize.softmax-first softmax-twice start-not-uniform
            stops-short takes-near-for-equal tolerant too-few-resamples too-little-selection too-much-selection
            unequal-chances uneven-draws uniform-paths without-replacement wrong-curve wrong-interval
            wrong-level wrong-mixture wrong-noise wrong-shares wrong-size wrong-strength wrong-values
        """,
        {
            "it returns whole numbers or names, compared one by one: nothing is wrong by little": (
                "cell_index cell_from_index progressive_shrinking_schedule efficientnet_stages path_encoding"
            ),
        },
    ),
    "luck": Kind(
        "some draws catch it, others don't",
        "endless gives-up too-slow",
        {},
    ),
    "reach": Kind(
        "the answer lies within reach",
        "uses-the-library",
        {},
    ),
}


def kind_of(exercise: str, concept: str) -> str:
    """The kind of a mistake with this concept; "" for what is wrong on any case."""
    return _KIND.get(f"{exercise}.{concept}") or _KIND.get(concept, "")


_KIND = {concept: name for name, kind in KINDS.items() for concept in kind.concepts.split()}
