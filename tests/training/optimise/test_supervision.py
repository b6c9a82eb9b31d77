from __future__ import annotations

import pytest
import torch

from napari_srgan.models.drcn import DRCN
from napari_srgan.models.espcn import ESPCN
from napari_srgan.training.config import from_settings
from napari_srgan.training.optimise.losses import mse_loss
from napari_srgan.training.optimise.supervision import Supervised, supervised_loss


def test_recursions_are_held_to_the_original_by_their_share() -> None:
    torch.manual_seed(0)
    network, low, high = DRCN(recursions=3, features=4, scale=2), *(
        torch.rand(2, 3, side, side) for side in (5, 10)
    )  # fmt: skip
    result, *predictions = Supervised(network, recursions=True)(low, 2)
    torch.testing.assert_close(result, network(low))
    mean = torch.stack(predictions).mean(0)  # of three equal shares, as the network begins
    torch.testing.assert_close(result, mean)
    whole = [mse_loss(result, high), sum(mse_loss(each, high) for each in predictions) / 3]
    found = supervised_loss([result, *predictions], high, mse_loss, 0.25)
    torch.testing.assert_close(found, 0.75 * whole[0] + 0.25 * whole[1])


def test_recursions_of_another_network_are_refused() -> None:
    with pytest.raises(TypeError, match="espcn has no recursions"):
        Supervised(ESPCN(), recursions=True)
    with pytest.raises(ValueError, match="recursive_share is for the family drcn; got srresnet"):
        from_settings({"pretrain.recursive_share": 0.5})
