"""The kernels of the mesh queries, in Warp's own language: annotations are what each argument is to the compiler."""

# mypy: disable-error-code="valid-type, no-untyped-def"
from dnerf_core.mesh.warp_started import warp as wp


@wp.kernel
def closest(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    farthest: float,
    face: wp.array(dtype=wp.int32),
    share: wp.array(dtype=wp.vec3),
    sign: wp.array(dtype=float),
):
    i = wp.tid()
    query = wp.mesh_query_point_sign_normal(mesh, points[i], farthest)
    if query.result:
        face[i] = query.face
        share[i] = wp.vec3(query.u, query.v, 1.0 - query.u - query.v)
        sign[i] = query.sign
    else:
        face[i] = -1
        sign[i] = 1.0


@wp.kernel
def crossed(
    mesh: wp.uint64,
    origins: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    reach: wp.array(dtype=float),
    start: wp.array(dtype=float),
    end: wp.array(dtype=float),
):
    i = wp.tid()
    o = origins[i]
    d = directions[i]
    length = reach[0]
    first = wp.mesh_query_ray(mesh, o, d, length)
    last = wp.mesh_query_ray(mesh, o + length * d, -d, length)
    start[i] = 0.0
    end[i] = 0.0
    if first.result and last.result:
        near = first.t
        if wp.dot(first.normal, d) > 0.0:  # the first wall is left through: the ray begins inside
            near = 0.0
        start[i] = near
        end[i] = length - last.t


@wp.kernel
def carried_along(
    mesh: wp.uint64,
    triangles: wp.array2d(dtype=wp.int32),
    targets: wp.array(dtype=wp.vec3),
    turns: wp.array(dtype=wp.quat),
    points: wp.array(dtype=wp.vec3),
    farthest: float,
    carried: wp.array(dtype=wp.vec3),
    distance: wp.array(dtype=float),
):
    i = wp.tid()
    p = points[i]
    query = wp.mesh_query_point_sign_normal(mesh, p, farthest)
    if query.result:
        a = triangles[query.face, 0]
        b = triangles[query.face, 1]
        c = triangles[query.face, 2]
        u = query.u
        v = query.v
        w = 1.0 - u - v
        offset = p - wp.mesh_eval_position(mesh, query.face, u, v)
        first = turns[a]
        second = turns[b]
        third = turns[c]
        if wp.dot(first, second) < 0.0:
            second = -second
        if wp.dot(first, third) < 0.0:
            third = -third
        turn = wp.normalize(u * first + v * second + w * third)
        carried[i] = u * targets[a] + v * targets[b] + w * targets[c] + wp.quat_rotate(turn, offset)
        distance[i] = query.sign * wp.length(offset)
    else:
        carried[i] = p
        distance[i] = farthest
