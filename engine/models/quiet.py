"""Loading without the libraries' own chatter; what matters of it is checked and said by us."""


def quiet_loading() -> None:
    """Only errors from diffusers and transformers, and no bar for each file that is read from the disk."""
    import diffusers.utils.logging
    import transformers.utils.logging

    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()
