import copy
from itertools import pairwise
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize
from torchvision.models.vision_transformer import VisionTransformer

from avalanche_pnr import MoCoV2Plus, MoCoV3, PNRPlugin
from tests.conftest import VIEWS, Strategy, tiny_backbone, tiny_mocov3

N, D, TAU, TAU_D = 5, 8, 0.3, 0.15


def transformer() -> VisionTransformer:
    model = VisionTransformer(8, 4, 1, 2, hidden_dim=16, mlp_dim=16)
    model.heads = nn.Identity()
    return model


def tiny(**options: Any) -> MoCoV3:
    sizes = {"hidden_dim": 16, "projection_dim": 8, "image_shape": (3, 8, 8)}
    return MoCoV3(transformer(), **{**sizes, **options})


def described(widths: list[int]) -> list[str]:
    """The authors' `_build_mlp(num_layers, input_dim, mlp_dim, output_dim)`."""
    layers: list[nn.Module] = []
    for index, (before, after) in enumerate(pairwise(widths)):
        layers.append(nn.Linear(before, after, bias=False))
        if index < len(widths) - 2:
            layers += [nn.BatchNorm1d(after), nn.ReLU()]
        else:
            layers.append(nn.BatchNorm1d(after, affine=False))
    return [str(layer) for layer in layers]


def layers_of(head: nn.Module) -> list[str]:
    return [str(layer) for layer in head.get_submodule("layers")]


def test_the_heads_have_the_authors_layers() -> None:
    method = MoCoV3(tiny_backbone())
    assert layers_of(method.projector) == described([8, 4096, 4096, 256])
    assert layers_of(method.predictor) == described([256, 4096, 256])
    two = MoCoV3(tiny_backbone(), projector_layers=2, hidden_dim=16, projection_dim=8)
    assert layers_of(two.projector) == described([8, 16, 8])
    assert layers_of(two.momentum_projector) == described([8, 16, 8])
    assert layers_of(two.predictor) == described([8, 16, 8])


def test_the_published_settings_are_the_defaults() -> None:
    method = tiny_mocov3()
    assert (method.momentum_start, method.momentum_end) == (0.99, 1.0)
    assert method.temperature == 0.2


def test_a_projector_of_one_layer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"projector_layers must be 2 or more, got 1"):
        tiny_mocov3(projector_layers=1)


def test_the_output_is_projection_prediction_and_momentum_projection() -> None:
    method = tiny_mocov3()
    with torch.no_grad():
        method.momentum_backbone[0].weight.mul_(1.5)
    networks = copy.deepcopy(method)
    output = method(VIEWS)
    assert output.shape == (6, 2, 24)
    for view in range(2):
        images = VIEWS[:, view]
        z = networks.projector(networks.backbone(images))
        k = networks.momentum_projector(networks.momentum_backbone(images))
        expected = torch.cat([z, networks.predictor(z), k], dim=1)
        assert torch.allclose(output[:, view], expected, atol=1e-5)
    assert torch.equal(method.projection(output), output[..., :8])


def embeddings(*names: str) -> list[Tensor]:
    return [torch.randn(N, 2, D, dtype=torch.float64).requires_grad_() for _ in names]


def assert_equal_with_gradients(
    actual: Tensor, expected: Tensor, leaves: list[Tensor]
) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=0)
    gradients = (torch.autograd.grad(each, leaves) for each in (actual, expected))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_the_loss_is_the_authors() -> None:
    """Their `contrastive_loss`: cross-entropy over the keys of the batch, 2 tau."""
    method = tiny_mocov3(temperature=TAU)
    (q,), (z, k) = embeddings("q"), torch.randn(2, N, 2, D, dtype=torch.float64)

    def contrastive_loss(q: Tensor, k: Tensor) -> Tensor:
        logits = torch.einsum("nc,mc->nm", normalize(q), normalize(k)) / TAU
        return cross_entropy(logits, torch.arange(N)) * (2 * TAU)

    expected = contrastive_loss(q[:, 0], k[:, 1]) + contrastive_loss(q[:, 1], k[:, 0])
    output = torch.cat([z, q, k], dim=-1)
    assert_equal_with_gradients(method.loss(output), expected, [q])
    each = method.loss(output, reduction="none")
    assert each.shape == (N,)
    torch.testing.assert_close(each.mean(), expected, rtol=1e-9, atol=0)


def test_cassles_distillation_is_info_nce_both_ways_with_the_factor_of_the_loss() -> (
    None
):
    p, f = embeddings("p", "f")
    rows = [normalize(torch.cat([x[:, 0], x[:, 1]]), dim=-1) for x in (p, f)]
    logits = rows[0] @ rows[1].T / TAU_D
    both = [cross_entropy(each, torch.arange(2 * N)) for each in (logits, logits.T)]
    expected = 2 * (2 * TAU_D) * torch.stack(both).mean()
    method = tiny_mocov3(distillation_temperature=TAU_D)
    assert_equal_with_gradients(method.distill_loss(p, f), expected, [p])


def test_pnrs_losses_are_those_of_moco_v2_plus_with_the_batch_for_the_queues() -> None:
    """One image at a time: the queues hold the other images of the batch."""
    q, k, p, f = (normalize(x.detach(), dim=-1) for x in embeddings(*"qkpf"))
    method = tiny_mocov3(temperature=TAU, distillation_temperature=TAU_D)
    output = torch.cat([torch.zeros_like(q), q, k], dim=-1)
    actual = method.pnr_ssl_loss(output, f), method.pnr_distill_loss(output, p, f)
    sums = [torch.zeros((), dtype=torch.float64) for _ in actual]
    for i in range(N):
        older = MoCoV2Plus(
            tiny_backbone(),
            hidden_dim=16,
            projection_dim=D,
            queue_length=N - 1,
            temperature=TAU,
            distillation_temperature=TAU_D,
        ).double()
        others = [j for j in range(N) if j != i]
        older.queue.fill(k[others])
        older.past_queue.fill(f[others])
        one = torch.cat([q, k], dim=-1)[i : i + 1]
        sums[0] += older.pnr_ssl_loss(one, f[i : i + 1])
        sums[1] += older.pnr_distill_loss(one, p[i : i + 1], f[i : i + 1])
    for ours, theirs, tau in zip(actual, sums, (TAU, TAU_D), strict=True):
        torch.testing.assert_close(ours, 4 * tau * theirs / N, rtol=1e-9, atol=0)


def test_the_patch_embedding_is_frozen_by_default() -> None:
    method = tiny()
    assert method.frozen_patch_embedding == "conv_proj"
    names = {name for name, _ in method.named_parameters()}
    assert "backbone.encoder.ln.weight" in names
    assert not {name for name in names if "conv_proj" in name}
    assert {name for name in method.state_dict() if "conv_proj" in name}
    method.requires_grad_(False).requires_grad_(True)
    assert not method.backbone.conv_proj.weight.requires_grad
    assert copy.deepcopy(method).without_gradient()[-1] is not method.backbone.conv_proj


def test_another_backbone_may_take_the_place_of_a_frozen_one() -> None:
    method = tiny()
    method.backbone = nn.Linear(3, 16)
    names = {name for name, _ in method.named_parameters()}
    assert "backbone.weight" in names


def test_the_patch_embedding_is_trained_on_demand() -> None:
    method = tiny(freeze_patch_embedding=False)
    names = {name for name, _ in method.named_parameters()}
    assert "backbone.conv_proj.weight" in names
    method.loss(method(VIEWS)).backward()
    assert method.backbone.conv_proj.weight.grad.any()


def test_other_backbones_have_none_to_freeze() -> None:
    assert tiny_mocov3().frozen_patch_embedding is None
    message = r"freeze_patch_embedding=True finds no conv_proj, .* in Sequential"
    with pytest.raises(ValueError, match=message):
        tiny_mocov3(freeze_patch_embedding=True)


def test_timms_patch_embedding_is_found_in_a_wrapper() -> None:
    timm = pytest.importorskip("timm")
    vit = timm.create_model(
        "vit_tiny_patch16_224", num_classes=0, img_size=32, patch_size=16, depth=1
    )
    method = MoCoV3(nn.Sequential(vit), hidden_dim=8, projection_dim=4)
    assert method.frozen_patch_embedding == "0.patch_embed.proj"
    assert not vit.patch_embed.proj.weight.requires_grad


def test_a_transformer_trains_by_adamw_and_keeps_its_patch_embedding(
    benchmark_of_digits: CLScenario, make_strategy: Strategy
) -> None:
    model = tiny()
    before = copy.deepcopy(model.state_dict())
    strategy = make_strategy(
        model,
        plugins=[PNRPlugin(predictor_hidden_dim=16)],
        optimizer=torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.5),
    )
    for experience in benchmark_of_digits.train_stream[:3]:
        strategy.train(experience)
    after = model.state_dict()
    kept = {name for name in before if torch.equal(before[name], after[name])}
    frozen = {"backbone.conv_proj.weight", "backbone.conv_proj.bias"}
    assert {name for name in kept if not name.startswith("momentum")} == frozen
    # Averages of equal numbers are equal but for rounding.
    for name in frozen:
        assert torch.allclose(after[f"momentum_{name}"], before[name], atol=1e-6)
    past = strategy.past_model.network
    assert past is not None
    assert torch.equal(past[0].conv_proj.weight, before["backbone.conv_proj.weight"])
