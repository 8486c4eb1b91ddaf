"""Which slots a machine has, and how a job travels to one."""

import threading

import pytest

from engine.config import ConfigError
from sweeper.slots.places import Slot, SlotSettings, plan_slots, visible_gpus

CUT_UP = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-11111111-2222)
  MIG 3g.20gb     Device  0: (UUID: MIG-aaaa)
  MIG 3g.20gb     Device  1: (UUID: MIG-bbbb)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-33333333-4444)
"""


def devices(slots: tuple[Slot, ...]) -> list[str]:
    return [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots]


def problems(settings: SlotSettings, gpus: str = "") -> list[str]:
    with pytest.raises(ConfigError) as refused:
        plan_slots(settings, environ={"CUDA_VISIBLE_DEVICES": gpus})
    return refused.value.problems


def test_a_slot_for_each_visible_gpu() -> None:
    assert devices(plan_slots(SlotSettings(), environ={"CUDA_VISIBLE_DEVICES": "3,1"})) == ["3", "1"]


def test_few_slots_spread_over_all_gpus() -> None:
    settings = SlotSettings(per_gpu=2, slots=3)
    assert devices(plan_slots(settings, environ={"CUDA_VISIBLE_DEVICES": "0,1"})) == ["0", "1", "0"]


def test_chosen_gpus_with_several_slots_each_and_fewer_jobs() -> None:
    settings = SlotSettings(gpus=[0, 2], per_gpu=2)
    environ = {"CUDA_VISIBLE_DEVICES": "0,1,2"}
    assert devices(plan_slots(settings, environ=environ)) == ["0", "2", "0", "2"]
    assert devices(plan_slots(settings, environ=environ, num_jobs=3)) == ["0", "2", "0"]


def test_names_of_gpus_and_of_mig_devices_are_passed_as_they_are() -> None:
    environ = {"CUDA_VISIBLE_DEVICES": "MIG-aaaa, GPU-7f"}
    slots = plan_slots(SlotSettings(), environ=environ)
    assert devices(slots) == ["MIG-aaaa", "GPU-7f"]
    assert [slot.device for slot in slots] == ["gpu MIG-aaaa", "gpu GPU-7f"]
    assert devices(plan_slots(SlotSettings(gpus=["GPU-7f"]), environ={"CUDA_VISIBLE_DEVICES": "0"})) == [
        "GPU-7f"
    ]


def test_the_driver_is_asked_where_the_user_has_not_said() -> None:
    assert visible_gpus({}, lambda: CUT_UP) == (["MIG-aaaa", "MIG-bbbb", "1"], True)
    assert visible_gpus({}, lambda: "No devices were found\n") == ([], True)
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "2,-1,3"}, lambda: CUT_UP) == (["2"], False)


def test_numbers_that_we_counted_are_counted_so_by_cuda_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweeper.slots.places._nvidia_smi", lambda: "GPU 0: NVIDIA L4 (UUID: GPU-1)\n")
    (counted,) = plan_slots(SlotSettings(), environ={})
    assert counted.environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    (named,) = plan_slots(SlotSettings(), environ={"CUDA_VISIBLE_DEVICES": "0"})
    assert "CUDA_DEVICE_ORDER" not in named.environment


def test_without_a_gpu_up_to_four_cores_are_slots_and_share_the_threads() -> None:
    slots = plan_slots(SlotSettings(), environ={"CUDA_VISIBLE_DEVICES": "-1"}, num_cores=9)
    assert devices(slots) == ["", "", "", ""]
    assert len(plan_slots(SlotSettings(), environ={"CUDA_VISIBLE_DEVICES": "-1"}, num_cores=2)) == 2
    assert {slot.environment["OMP_NUM_THREADS"] for slot in slots} == {"2"}
    assert slots[0].device == "cpu"
    (only,) = plan_slots(SlotSettings(), environ={"CUDA_VISIBLE_DEVICES": ""}, num_cores=1)
    assert only.environment["MKL_NUM_THREADS"] == "1"


def test_a_thread_count_of_the_users_own_stays() -> None:
    environ = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "6"}
    (slot,) = plan_slots(SlotSettings(slots=1), environ=environ, num_cores=4)
    assert "OMP_NUM_THREADS" not in slot.environment  # inherited
    assert slot.environment["MKL_NUM_THREADS"] == "4"


def test_more_slots_than_the_gpus_have_room_for_are_refused() -> None:
    assert problems(SlotSettings(slots=3, gpus=[0]), "0") == [
        "hydra.launcher.slots=3: 1 GPU has room for 1 with per_gpu=1. Give slots=1, or raise per_gpu."
    ]


def test_wrong_numbers_and_gpus_are_refused_all_at_once() -> None:
    assert problems(SlotSettings(slots=0, per_gpu=0, restarts=-1, gpus=[]), "0") == [
        "hydra.launcher.slots=0: at least 1. Leave it out for one a GPU.",
        "hydra.launcher.per_gpu=0: at least 1 process uses a GPU. Give 1.",
        "hydra.launcher.restarts=-1: a count. Give 0 for none.",
        "hydra.launcher.gpus=[]: no GPU is named. Leave it out; for CPU slots set CUDA_VISIBLE_DEVICES "
        "empty.",
    ]


@pytest.mark.parametrize(
    ("gpus", "visible", "told"),
    [
        ([0], "", "hydra.launcher.gpus=[0]: no GPU is visible here. Leave it out for CPU slots."),
        (
            [1, 1],
            "0,1",
            "hydra.launcher.gpus=[1,1]: a GPU is named twice. Give per_gpu=2 for two slots on each.",
        ),
        ([0, 4], "0,1", "hydra.launcher.gpus=[0,4]: there is no GPU 4; visible are 0, 1. Name those."),
        ([0], "MIG-a", "hydra.launcher.gpus=[0]: there is no GPU 0; visible is MIG-a. Name those."),
    ],
)
def test_gpus_that_are_not_there_are_refused(gpus: list[int | str], visible: str, told: str) -> None:
    assert problems(SlotSettings(gpus=gpus), visible) == [told]


def test_a_task_function_that_cant_be_sent_is_refused_by_name() -> None:
    from hydra.types import HydraContext
    from omegaconf import OmegaConf

    from sweeper.slots.job import Work, pack_shared

    lock = threading.Lock()

    def guarded(_config: object) -> None:
        lock.acquire()

    context = HydraContext(config_loader=None, callbacks=None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="guarded can't be sent to another process"):
        pack_shared(Work(task_function=guarded, hydra_context=context, config=OmegaConf.create()))
