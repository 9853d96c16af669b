"""The signatures that checks, mutants and outside tests call; a lesson may add keyword arguments with
defaults, no more.

"Name(...)" is a function, or a class by what its constructor takes; "Name.method(...)" a method, without self.
This is the one place where they stand as data. It is not documentation: what each function returns is in its
docstring.
"""

from __future__ import annotations

BINDING: dict[str, tuple[str, ...]] = {
    "00_start_here": (
        "cell_index(arch)",
        "cell_from_index(i)",
        "count_active_ops(arch)",
    ),
    "01_random_search": (
        "sample_uniform(space, rng)",
        "random_search(objective, space, budget, rng)",
        "incumbent_curve(values)",
        "simple_regret(values, best)",
        "samples_for_top_fraction(fraction, confidence)",
        "paired_bootstrap(a, b, rng, resamples=10_000)",
    ),
    "02_evolution_and_early_stopping": (
        "hill_climb(objective, space, budget, rng)",
        "regularized_evolution(objective, space, budget, population, sample, rng)",
        "successive_halving(train_to, configs, eta, min_epochs, max_epochs)",
        "synflow_score(net, input_shape)",
        "grad_norm_score(net, x, y)",
        "spearman(a, b)",
        "kendall_tau(a, b)",
    ),
    "03_rl_controller": (
        "exact_policy_gradient(logits, rewards)",
        "reinforce_loss(log_probs, rewards, baseline, entropies, entropy_weight)",
        "ema_baseline(rewards, decay)",
        "Controller(choices, hidden=64, embedding=32)",
        "Controller.sample(n, generator)",
        "Controller.log_prob(actions)",
        "discounted_returns(rewards, gamma)",
    ),
    "04_darts": (
        "mixed_op(outputs, alphas)",
        "CellSupernet(channels, alphas)",
        "CellSupernet.forward(x)",
        "discretize(alphas, exclude_none=True)",
        "weight_step(model, loss_fn, batch, optimizer)",
        "alpha_step_first_order(model, loss_fn, valid_batch, alpha_optimizer)",
        "alpha_step_second_order(model, loss_fn, train_batch, valid_batch, alpha_optimizer, weight_lr, eps=0.01)",
        "gumbel_softmax_sample(logits, tau, generator, hard=False)",
    ),
    "05_supernet": (
        "sample_path(choices, rng)",
        "fair_paths(choices, rng)",
        "train_single_path_step(supernet, batch, optimizer, path)",
        "recalibrate_bn(supernet, path, batches)",
        "rank_correlation(scores, truth, top=None)",
        "evolve_under_constraint(evaluate, cost, limit, space, budget, population, rng)",
        "slice_kernel(weight, size, transform=None)",
        "slice_width(weight, width, importance)",
        "progressive_shrinking_schedule(step, phases)",
        "distillation_loss(student, teacher, labels, temperature, weight)",
    ),
    "06_hardware_aware": (
        "benchmark_latency(fn, warmup, repeats, synchronize=None, clock=time.perf_counter)",
        "latency_table(ops, shapes, measure)",
        "predict_latency(keys, table, overhead=0.0)",
        "roofline_latency(macs, bytes_moved, device)",
        "mnasnet_reward(accuracy, latency, target, alpha=-0.07, beta=-0.07)",
        "pareto_front(accuracy, latency)",
        "hypervolume_2d(accuracy, latency, reference)",
        "fake_quantize(x, bits, per_channel=False)",
        "search_bits(evaluate, size, archs, bit_choices, size_limit, budget, rng)",
    ),
    "07_compound_scaling": (
        "scaled_cost(alpha, beta, gamma, phi)",
        "round_filters(filters, width, divisor=8)",
        "round_repeats(repeats, depth)",
        "efficientnet_stages(variant)",
        "MBConv(in_channels, out_channels, kernel, stride, expand, se_ratio, drop_rate)",
        "MBConv.forward(x)",
        "FusedMBConv(in_channels, out_channels, kernel, stride, expand, drop_rate)",
        "FusedMBConv.forward(x)",
        "grid_search_coefficients(evaluate, step, tolerance, limit=2.0)",
        "mixup(x, y, alpha, rng, classes)",
        "rand_augment(image, n, m, rng)",
        "progressive_schedule(stage, stages, resolution, magnitude)",
    ),
}
