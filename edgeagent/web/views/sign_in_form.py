"""Form to sign in."""

from __future__ import annotations

from edgeagent.web.views.markup import icon, text

DEVICE_HINT = (
    "Forgotten? The files named in <code>web</code> of the configuration have the password or token."
)


def write_sign_in(
    device: str,
    following: str,
    by_password: bool,
    error: str | None,
    hint: str = DEVICE_HINT,
    other: str | None = None,
    label: str = "",
) -> str:
    """Return the HTML of the view.

    Args:
        device: name of the device.
        following: path of the page that follows.
        by_password: whether there is a user with a password.
        error: why the last try failed.
        hint: HTML for those who cannot sign in.
        other, label: address and label of another way to sign in; None without one.
    """
    user = (
        '<label>User<input name="user" autocomplete="username" autocapitalize="none" spellcheck="false" required'
        " autofocus></label>"
        if by_password
        else ""
    )
    name, focus = ("Password", "") if by_password else ("Token", " autofocus")
    another = f'<a class="button quiet" href="{text(other)}">{text(label)}</a>' if other is not None else ""
    told = f'<p class="form-error" role="alert">{icon("warning")} {text(error)}</p>' if error else ""
    return (
        f'<form class="sign-in" method="post" action="/sign-in"><h1>{icon("device")} {text(device)}</h1>{told}'
        f'<input type="hidden" name="next" value="{text(following)}">{user}'
        f'<label>{name}<input name="password" type="password" autocomplete="current-password" required{focus}>'
        "</label><button>Sign in</button>"
        f'{another}<p class="unit">{hint}</p></form>'
    )
